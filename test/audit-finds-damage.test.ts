import { randomUUID } from 'node:crypto';
import { PutObjectCommand, DeleteObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { audit, type Ledger } from '../src/audit/audit';
import { repair } from '../src/audit/repair';
import { factId } from '../src/facts/identity';
import { factsFrom } from '../src/facts/read';
import { recordOfFact } from '../src/relay/publish';
import type { OutgoingRecord } from '../src/kafka/port';
import { JSON_FORMATS } from '../src/schemas/wire';
import { openBackbone, type Backbone } from './setup/backbone';
import { PARTS_TIMEOUT_MS } from './setup/stack';
import { until } from './setup/until';

/**
 * Audit finds every kind of damage, names it by its kind and its story, and says nothing of any other story.
 * Each damage is done to a story of its own; that clean stories are left alone is test/audit-says-nothing.test.ts.
 */

let backbone: Backbone;
let stop: () => Promise<void>;
let ledger: Ledger;
const OPTIONS = { settleMs: 1_500, patienceMs: 30_000 };

interface Damage {
  readonly what: string;
  /** What of: a task or an order that is over, one that waits for its payment, one that was only taken in, or nothing that there is. */
  readonly to: 'task' | 'order' | 'waiting' | 'taken' | 'nothing';
  readonly plant: (id: string) => Promise<unknown>;
  readonly expected: readonly string[];
  /** True where --repair mends it. */
  readonly mends?: boolean;
}

const sql = (text: string, ...values: unknown[]) => backbone.bench.db.query(text, values);
const facts = (id: string, domain = 'content') => factsFrom(backbone.bench.db, domain, id);
const send = (record: OutgoingRecord) => backbone.producer.send([record]);
const s3 = async (command: PutObjectCommand | DeleteObjectCommand) => {
  const { S3_ENDPOINT, S3_REGION, S3_ACCESS_KEY_ID, S3_SECRET_ACCESS_KEY } = backbone.bench.config;
  const client = new S3Client({ endpoint: S3_ENDPOINT, region: S3_REGION, forcePathStyle: true, credentials: { accessKeyId: S3_ACCESS_KEY_ID, secretAccessKey: S3_SECRET_ACCESS_KEY.reveal() } });
  await client.send(command as PutObjectCommand);
  client.destroy();
};
const objectOf = async (id: string) => {
  const [, Bucket = '', Key = ''] = /^s3:\/\/([^/]+)\/(.+)$/.exec((await facts(id)).at(-1)!.payload.match(/s3:[^"]+/)![0]) ?? [];
  return { Bucket, Key };
};
/** A record like that of a stored fact, but for something. */
const otherwise = async (id: string, version: number, change: (record: OutgoingRecord) => OutgoingRecord) => send(change(recordOfFact((await facts(id))[version - 1]!, JSON_FORMATS)));
const headers = (more: Record<string, string>) => (record: OutgoingRecord): OutgoingRecord => ({ ...record, headers: { ...record.headers, ...more } });

const shelf = (id: string, { quantity = 5, reserved = 0, sold = 0, stocked = null as number | null }) =>
  sql("INSERT INTO products (id, name, description, price_cents, quantity, reserved, sold, stocked) VALUES ($1, 'p', '', 1, $2, $3, $4, $5)", id, quantity, reserved, sold, stocked);

const DAMAGES: readonly Damage[] = [
  { what: 'a version deleted from the middle', to: 'task', expected: ['fact-gap'], mends: true, plant: (id) => sql('DELETE FROM facts WHERE aggregate_id = $1 AND version = 3', id) },
  { what: 'the last two versions deleted', to: 'task', expected: ['fact-lost', 'fact-lost', 'run-missing', 'view-differs'], mends: true, plant: (id) => sql('DELETE FROM facts WHERE aggregate_id = $1 AND version > 3', id) },
  { what: 'all facts deleted', to: 'order', expected: ['fact-lost', 'fact-lost', 'fact-lost', 'fact-lost', 'view-orphan'], mends: true, plant: (id) => sql('DELETE FROM facts WHERE aggregate_id = $1', id) },
  { what: 'all trace deleted of a task that a partner asked for', to: 'task', expected: ['fact-lost', 'fact-lost', 'fact-lost', 'fact-lost', 'start-missing'], mends: true, plant: (id) => sql('WITH f AS (DELETE FROM facts WHERE aggregate_id = $1) DELETE FROM task_view WHERE id::text = $1', id) },
  { what: 'all trace deleted of an order that was only taken in', to: 'taken', expected: ['run-orphan', 'start-missing'], mends: true, plant: (id) => sql('WITH f AS (DELETE FROM facts WHERE aggregate_id = $1) DELETE FROM order_view WHERE id = $1', id) },
  { what: 'another ce_id', to: 'task', expected: ['fact-id-wrong', 'record-differs'], plant: (id) => sql('UPDATE facts SET ce_id = gen_random_uuid() WHERE aggregate_id = $1 AND version = 2', id) },
  { what: 'another type', to: 'task', expected: ['fact-misplaced', 'fact-unfoldable', 'record-differs'], plant: (id) => sql("UPDATE facts SET type = 'Nonsense' WHERE aggregate_id = $1 AND version = 5", id) },
  { what: 'another topic', to: 'task', expected: ['fact-misplaced'], plant: (id) => sql("UPDATE facts SET topic = 'task.failed' WHERE aggregate_id = $1 AND version = 5", id) },
  { what: 'other data', to: 'task', expected: ['record-differs', 'view-differs'], plant: (id) => sql(`UPDATE facts SET payload = replace(payload::text, 'agent-1', 'agent-9')::json WHERE aggregate_id = $1 AND version = 2`, id) },
  { what: 'other data of the first fact', to: 'task', expected: ['record-differs', 'view-differs'], plant: (id) => sql(`UPDATE facts SET payload = replace(payload::text, 'partner', 'nobody')::json WHERE aggregate_id = $1 AND version = 1`, id) },
  { what: 'an earlier time', to: 'task', expected: ['fact-backwards', 'record-differs'], plant: (id) => sql("UPDATE facts SET at = at - interval '1 day' WHERE aggregate_id = $1 AND version = 4", id) },
  { what: 'another correlation id', to: 'task', expected: ['fact-unlinked', 'record-differs'], plant: (id) => sql("UPDATE facts SET correlation_id = 'x' WHERE aggregate_id = $1 AND version = 5", id) },
  {
    what: 'a fact after the end', to: 'task', expected: ['fact-after-end', 'fact-id-wrong', 'run-disagrees', 'unpublished', 'view-differs'],
    plant: (id) => sql(`INSERT INTO facts (aggregate_type, aggregate_id, version, ce_id, type, topic, payload, at, correlation_id, causation_id)
      SELECT aggregate_type, aggregate_id, 6, gen_random_uuid(), 'TaskCancelled', 'task.cancelled', '{"taskId":"x","by":"x","reason":null}', at, correlation_id, causation_id FROM facts WHERE aggregate_id = $1 AND version = 5`, id),
  },
  { what: 'a fact that nobody publishes', to: 'task', expected: ['unpublished'], mends: true, plant: (id) => sql('UPDATE facts SET published_at = NULL WHERE aggregate_id = $1 AND version = 5', id) },
  {
    what: 'a fact that is not on its topic', to: 'task', expected: ['fact-after-end', 'record-missing', 'run-disagrees', 'view-differs'],
    plant: async (id) => {
      await sql(`INSERT INTO facts (aggregate_type, aggregate_id, version, ce_id, type, topic, payload, at, correlation_id, causation_id, published_at)
        SELECT aggregate_type, aggregate_id, 6, $2, 'TaskCancelled', 'task.cancelled', '{"taskId":"x","by":"x","reason":null}', at, correlation_id, ce_id::text, now() FROM facts WHERE aggregate_id = $1 AND version = 5`, id, factId('content', id, 6));
    },
  },
  { what: 'a record of a version with other bytes', to: 'task', expected: ['record-differs'], plant: (id) => otherwise(id, 4, (record) => ({ ...record, value: Buffer.from(`{"taskId":"${id}","attempt":1,"score":0}`) })) },
  { what: 'a record of a version with other headers', to: 'task', expected: ['record-differs'], plant: (id) => otherwise(id, 4, headers({ ce_time: '2020-01-01T00:00:00.000Z' })) },
  { what: 'a record whose ce_id is not ours', to: 'task', expected: ['record-forged'], plant: (id) => otherwise(id, 4, headers({ ce_id: randomUUID() })) },
  { what: 'a record on the wrong topic', to: 'task', expected: ['record-forged'], plant: (id) => otherwise(id, 4, (record) => ({ ...record, topic: 'task.failed' })) },
  { what: 'a record under the wrong key', to: 'task', expected: ['record-forged'], plant: (id) => otherwise(id, 4, (record) => ({ ...record, key: 'x' })) },
  { what: 'a record of a version that never was', to: 'task', expected: ['fact-lost'], plant: async (id) => {
    await otherwise(id, 5, headers({ ce_id: factId('content', id, 6), ce_sequence: '6' }));
  } },
  { what: 'a first fact that came from nowhere', to: 'task', expected: ['origin-missing'], mends: true, plant: (id) => sql("UPDATE facts SET origin = 'task.created/0/999999' WHERE aggregate_id = $1 AND version = 1", id) },
  { what: 'no row for readers', to: 'task', expected: ['view-missing'], mends: true, plant: (id) => sql('DELETE FROM task_view WHERE id::text = $1', id) },
  { what: 'another row for readers', to: 'task', expected: ['view-differs'], mends: true, plant: (id) => sql("UPDATE task_view SET status = 'pending' WHERE id::text = $1", id) },
  { what: 'a row that is ahead', to: 'order', expected: ['view-differs'], mends: true, plant: (id) => sql('UPDATE order_view SET version = 9 WHERE id = $1', id) },
  { what: 'a row of nobody', to: 'nothing', expected: ['view-orphan'], mends: true, plant: (id) => sql("INSERT INTO order_view SELECT (o).* FROM (SELECT jsonb_populate_record(NULL::order_view, to_jsonb(v) || jsonb_build_object('id', $1::text)) AS o FROM order_view v LIMIT 1) x", id) },
  { what: 'a workflow terminated', to: 'waiting', expected: ['run-missing'], mends: true, plant: (id) => backbone.bench.client.workflow.getHandle(`order/${id}`).terminate('test') },
  { what: 'a workflow of nobody', to: 'nothing', expected: ['run-orphan'], plant: (id) => backbone.bench.client.workflow.start('orderWorkflow', { workflowId: `order/${id}`, taskQueue: 'nobody', args: [id] }) },
  { what: 'a workflow that stays open', to: 'order', expected: ['run-lingers'], plant: (id) => backbone.bench.client.workflow.start('orderWorkflow', { workflowId: `order/${id}`, taskQueue: 'nobody', args: [id] }) },
  { what: 'an object deleted', to: 'task', expected: ['object-missing'], mends: true, plant: async (id) => s3(new DeleteObjectCommand(await objectOf(id))) },
  { what: 'an object written over', to: 'task', expected: ['object-differs'], plant: async (id) => s3(new PutObjectCommand({ ...(await objectOf(id)), Body: 'something else' })) },
  { what: 'a reservation deleted', to: 'order', expected: ['book-missing'], plant: (id) => sql('DELETE FROM stock_reservations WHERE order_id = $1', id) },
  { what: 'a reservation of what was sold', to: 'order', expected: ['book-differs'], plant: (id) => sql("UPDATE stock_reservations SET state = 'held' WHERE order_id = $1", id) },
  { what: 'a reservation of more pieces', to: 'order', expected: ['book-differs'], plant: (id) => sql(`UPDATE stock_reservations SET items = '[{"product":"P-1","quantity":3}]' WHERE order_id = $1`, id) },
  { what: 'a reservation of another product', to: 'order', expected: ['book-differs'], plant: (id) => sql(`UPDATE stock_reservations SET items = '[{"product":"P-9","quantity":1}]' WHERE order_id = $1`, id) },
  { what: 'a reservation without pieces', to: 'order', expected: ['book-differs'], plant: (id) => sql("UPDATE stock_reservations SET items = '[]' WHERE order_id = $1", id) },
  { what: 'a shelf with more reserved than orders hold', to: 'nothing', expected: ['sum-wrong'], plant: (id) => shelf(id, { reserved: 2 }) },
  { what: 'a shelf with more sold than orders were sold', to: 'nothing', expected: ['sum-wrong'], plant: (id) => shelf(id, { sold: 2 }) },
  { what: 'a shelf with less than was put there', to: 'nothing', expected: ['sum-wrong'], plant: (id) => shelf(id, { stocked: 6 }) },
  { what: 'a shelf below zero', to: 'nothing', expected: ['sum-wrong'], plant: async (id) => {
    await sql('ALTER TABLE products DROP CONSTRAINT products_quantity_check');
    await shelf(id, { quantity: -1 });
  } },
  { what: 'a letter deleted', to: 'order', expected: ['letter-missing'], plant: (id) => sql('DELETE FROM notifications WHERE aggregate_id = $1', id) },
  { what: 'a letter under another id', to: 'order', expected: ['letter-missing', 'letter-orphan'], plant: (id) => sql('UPDATE notifications SET ce_id = gen_random_uuid() WHERE aggregate_id = $1', id) },
  { what: 'a letter about another event', to: 'order', expected: ['letter-differs'], plant: (id) => sql("UPDATE notifications SET event = 'OrderFailed' WHERE aggregate_id = $1", id) },
  { what: 'a letter about another order', to: 'order', expected: ['letter-differs'], plant: (id) => sql("UPDATE notifications SET aggregate_id = 'x' WHERE aggregate_id = $1", id) },
  { what: 'a second letter', to: 'order', expected: ['letter-orphan'], plant: (id) => sql(`INSERT INTO notifications (ce_id, aggregate_type, aggregate_id, event, state, subject, text)
    SELECT gen_random_uuid(), aggregate_type, aggregate_id, event, state, subject, text FROM notifications WHERE aggregate_id = $1`, id) },
];

const idOf = new Map<Damage, string>();

beforeAll(async () => {
  backbone = await openBackbone();
  stop = await backbone.run({ letters: true });
  const of = (to: Damage['to']) => DAMAGES.filter((damage) => damage.to === to);
  // Drafts that differ, because equal ones are one object.
  const tasks = (await Promise.all(of('task').map(async (_, at) => backbone.tasks(1, { drafts: [`${`The ${at}th draft has ${at} words more than the one before it. `.repeat(12)}`] })))).flat();
  const orders = await backbone.orders(of('order').length);
  const waiting = await backbone.orders(of('waiting').length, { typePaymentId: 2 });
  await backbone.reach([...tasks, ...orders]);
  await backbone.reach(waiting, 2);
  await until(async () => (await sql('SELECT 1 FROM notifications')).rowCount === orders.length, 'each has its letter');
  await stop();
  stop = await backbone.run({ workers: false, relay: false });
  const taken = await backbone.orders(of('taken').length);
  await until(async () => (await facts(taken[0]!, 'order')).length === 1, 'the last one is taken in');
  for (const [to, ids] of [['task', tasks], ['order', orders], ['waiting', waiting], ['taken', taken]] as const) of(to).forEach((damage, at) => idOf.set(damage, ids[at]!));
  for (const damage of of('nothing')) idOf.set(damage, randomUUID());
}, PARTS_TIMEOUT_MS);
afterAll(async () => {
  await stop();
  await backbone.close();
});

test('before anything is damaged, all tellers agree, but for the one that nobody publishes', async () => {
  const { differences } = await audit(backbone.deps, OPTIONS);
  expect(differences.map(({ kind }) => kind)).toEqual(['unpublished']);
}, 60_000);

describe('once each story has its own damage', () => {
  beforeAll(async () => {
    await stop();
    for (const [damage, id] of idOf) await damage.plant(id);
    ledger = await audit(backbone.deps, OPTIONS);
    stop = async () => undefined;
  }, 60_000);

  test.each(DAMAGES)('$what is found', (damage) => {
    const found = ledger.differences.filter(({ id }) => id === idOf.get(damage));
    expect(found.map(({ kind }) => kind).sort()).toEqual([...damage.expected].sort());
  });

  test('and nothing is said of any other story', () => {
    const damaged = new Set(idOf.values());
    const [shelfOfAll, ...others] = ledger.differences.filter(({ id }) => !damaged.has(id));
    expect(others).toEqual([]);
    // Reservations were damaged, so what they add up to is not what its shelf says.
    expect(shelfOfAll).toMatchObject({ kind: 'sum-wrong', aggregate: 'product', id: 'P-1' });
  });
});

describe('once it was repaired', () => {
  beforeAll(async () => {
    for (let round = 0; round < 2; round += 1) {
      await repair({ ...backbone.deps, producer: backbone.producer }, ledger.differences);
      ledger = await audit(backbone.deps, OPTIONS);
    }
  }, 60_000);

  test.each(DAMAGES.filter(({ mends }) => mends))('$what is mended', (damage) => {
    expect(ledger.differences.filter(({ id }) => id === idOf.get(damage))).toEqual([]);
  });

  test.each(DAMAGES.filter(({ mends }) => !mends))('$what is left as it is, and named again', (damage) => {
    const found = ledger.differences.filter(({ id }) => id === idOf.get(damage));
    expect(found.map(({ kind }) => kind).sort()).toEqual([...damage.expected].sort());
  });
});
