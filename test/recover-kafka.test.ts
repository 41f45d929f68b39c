import { randomUUID } from 'node:crypto';
import { audit } from '../src/audit/audit';
import { readConfig, type Config } from '../src/config';
import { factsFrom } from '../src/facts/read';
import { openProducer } from '../src/kafka/producer';
import { createTopics, topicNames } from '../src/kafka/topics';
import { openLog } from '../src/log';
import type { Producer } from '../src/kafka/port';
import { recordOfFact } from '../src/relay/publish';
import { JSON_FORMATS } from '../src/schemas/wire';
import { recoverKafka, type KafkaRecovery } from '../src/recover/kafka';
import { openBackbone, type Backbone } from './setup/backbone';
import { PARTS_TIMEOUT_MS } from './setup/stack';
import { awaitLeaders, recordsOn, type SeenRecord } from './setup/topic';
import { until } from './setup/until';

/**
 * The topics are lost, and are filled again from the facts: the same records, in the order of each aggregate.
 * A cluster without them is one where ours go by another prefix.
 * The full dose: FAZENDA_RECOVER_STORIES=2000 npm test -- recover-kafka
 */

const EACH = Math.ceil(Number(process.env.FAZENDA_RECOVER_STORIES ?? 30) / 3);

let backbone: Backbone;
let empty: Config;
let producer: Producer | undefined;
let recovered: KafkaRecovery;
let tasks: string[];
const accepted = { taskId: randomUUID(), orderId: randomUUID() };

beforeAll(async () => {
  backbone = await openBackbone();
  const { db, env } = backbone.bench;
  const stop = await backbone.run();
  tasks = await backbone.tasks(EACH);
  const orders = [...await backbone.orders(EACH), ...await backbone.orders(EACH, { edge: 'gateway' })];
  await backbone.reach([...tasks, ...orders], undefined, 600_000);
  await stop();
  // One task came by the api, whose record is kept; one order was accepted by it, and no door has taken it in.
  const [first] = await factsFrom(db, 'content', tasks[0]!);
  const { value, headers } = recordOfFact(first!, JSON_FORMATS);
  const keep = (type: string, id: string, record: object) =>
    db.query("INSERT INTO submissions (aggregate_type, aggregate_id, fingerprint, record, answer, sent_at) VALUES ($1, $2, '', $3, '{}', now())", [type, id, JSON.stringify(record)]);
  await keep('content', tasks[0]!, { topic: 'task.created', key: tasks[0], value: ` ${String(value)}`, headers });
  await keep('order', accepted.orderId, { topic: 'orders.create', key: accepted.orderId, value: '{"as":"it was"}', headers: { ce_id: accepted.orderId } });

  empty = readConfig({ ...env, KAFKA_TOPIC_PREFIX: `${randomUUID()}.` });
  const log = openLog(empty, 'test');
  const opened = (producer = openProducer(empty, log, { sendTimeoutMs: 10_000 }));
  opened.start();
  await until(() => opened.connected, 'the producer has a connection');
  await awaitLeaders(empty, await createTopics(empty, log));
  recovered = await recoverKafka({ config: empty, log, db, producer: opened });
}, PARTS_TIMEOUT_MS);
afterAll(async () => {
  await producer?.stop();
  await backbone.close();
});

const bytesOf = ({ key, value, headers }: SeenRecord) => JSON.stringify([key, value, Object.entries(headers).sort()]);
const sorted = (records: readonly SeenRecord[]) => records.map(bytesOf).sort();
const topics = topicNames().topics.filter((topic) => !topicNames().doors.includes(topic) || topic === 'orders.created');

test.each(topics)('%s holds what it held, byte for byte', async (topic) => {
  expect(sorted(await recordsOn(empty, topic))).toEqual(sorted(await recordsOn(backbone.bench.config, topic)));
});

test('first facts that came in by their topic are there again: as they came where that was kept, else as we tell them', async () => {
  const records = await recordsOn(empty, 'task.created');
  expect(records.map(({ key }) => key).sort()).toEqual([...tasks].sort());
  for (const { key, value, headers } of records) {
    const [first] = await factsFrom(backbone.bench.db, 'content', key);
    expect(value).toBe(`${key === tasks[0] ? ' ' : ''}${first!.payload}`);
    expect(headers).toMatchObject({ ce_id: first!.ceId, ce_sequence: '1' });
  }
});

test('what was accepted and not taken in yet is asked for again', async () => {
  expect((await recordsOn(empty, 'orders.create')).map(({ key, value }) => [key, value])).toEqual([[accepted.orderId, '{"as":"it was"}']]);
  expect(recovered).toMatchObject({ requests: 1, facts: EACH * 5 + EACH * 8 });
});

test('the versions of an aggregate are put on in their order', async () => {
  const { rows } = await backbone.bench.db.query("SELECT 1 FROM facts f JOIN facts g USING (aggregate_type, aggregate_id) WHERE f.origin IS NULL AND g.origin IS NULL AND f.version < g.version AND f.published_at > g.published_at");
  expect(rows).toEqual([]);
});

test('a second time there is nothing to fill, and audit agrees', async () => {
  const again = await recoverKafka({ config: empty, log: openLog(empty, 'test'), db: backbone.bench.db, producer: producer! });
  expect(again).toMatchObject({ made: [], filled: [], facts: 0 });
  const { differences } = await audit({ ...backbone.deps, config: empty }, { settleMs: 1_000, patienceMs: 20_000 });
  expect(differences).toEqual([]);
}, 60_000);
