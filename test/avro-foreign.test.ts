import { randomUUID } from 'node:crypto';
import type { Pool } from 'pg';
import { readConfig, type Config } from '../src/config';
import { factId } from '../src/facts/identity';
import { migrate } from '../src/facts/migrate';
import { openPool } from '../src/facts/postgres';
import { SHARDS } from '../src/facts/schema';
import { clusterName } from '../src/kafka/client';
import { openCodec } from '../src/kafka/codec';
import type { Producer } from '../src/kafka/port';
import { openProducer } from '../src/kafka/producer';
import { createTopics } from '../src/kafka/topics';
import { openLog } from '../src/log';
import { publishPending } from '../src/relay/publish';
import { startParts, type RunningParts } from '../src/runtime/parts';
import { eventContracts } from '../src/schemas/contracts';
import { registerSchemas } from '../src/schemas/register';
import { recentFormats } from '../src/schemas/wire';
import { ownDatabase } from './setup/database';
import { SAMPLES } from './setup/event-samples';
import { foreignAvro, type Foreign } from './setup/foreign-avro';
import { rawRecordsOn } from './setup/raw-records';
import { PARTS_TIMEOUT_MS, realParts } from './setup/stack';
import { removeTempHomes, tempHome } from './setup/temp-home';
import { awaitLeaders } from './setup/topic';
import { until } from './setup/until';

/**
 * Every event is exchanged with a partner who shares no code with us, through a real registry: what we write it
 * reads, what it writes we read, and both write the same bytes.
 */

const EVERY_SHARD = Array.from({ length: SHARDS }, (_, shard) => shard);
const contracts = eventContracts();
let registry: RunningParts;
let config: Config;
let db: Pool;
let drop: () => Promise<void>;
let producer: Producer;
let foreign: Foreign;

beforeAll(async () => {
  const parts = await realParts();
  registry = await startParts({ home: tempHome(), parts: ['registry'], env: process.env });
  const database = await ownDatabase(parts.DATABASE_URL ?? '');
  drop = database.drop;
  const topics = [...new Set(contracts.map(({ topic }) => topic))];
  config = readConfig({
    ...parts, ...registry.env, DATABASE_URL: database.url, KAFKA_TOPIC_PREFIX: `${randomUUID()}.`, LOG_LEVEL: 'silent',
    KAFKA_ENCODINGS: topics.map((topic) => `${topic}=avro`).join(','),
  });
  db = openPool(config, 'test');
  await migrate(db);
  await awaitLeaders(config, await createTopics(config, openLog(config, 'test')));
  producer = openProducer(config, openLog(config, 'test'), { sendTimeoutMs: 10_000 });
  producer.start();
  foreign = await foreignAvro(parts.KAFKA_BROKERS ?? '', registry.endpoints.schemaRegistry ?? '');
  await until(() => producer.connected, 'the producer has a connection');
  await registerSchemas(config, db);
}, PARTS_TIMEOUT_MS);
afterAll(async () => {
  await producer.stop();
  await db.end();
  await drop();
  await registry.stop();
  removeTempHomes();
});

test('every kind of record has a sample here', () => {
  expect(Object.keys(SAMPLES).sort()).toEqual(contracts.map(({ name }) => name).sort());
});

const registryUrl = () => registry.endpoints.schemaRegistry ?? '';
const inCluster = (topic: string) => clusterName(config, topic);

test('the registry holds every subject to BACKWARD', async () => {
  for (const topic of new Set(contracts.map((one) => one.topic))) {
    const answer = await fetch(`${registryUrl()}/config/${inCluster(topic)}-value`);
    expect([topic, await answer.json()]).toEqual([topic, { compatibilityLevel: 'BACKWARD' }]);
  }
});

test('a stranger reads what we write, and we read what a stranger writes, byte for byte the same', async () => {
  // Facts go the way of all facts; commands are written as the API writes them.
  const keys = new Map(contracts.map(({ name }) => [name, randomUUID()]));
  for (const { name, kind, topic, type, owner } of contracts) {
    const key = keys.get(name)!;
    const { data } = SAMPLES[name]!;
    if (kind === 'fact') {
      await db.query(
        `INSERT INTO facts (aggregate_type, aggregate_id, version, ce_id, type, topic, payload, at, correlation_id, causation_id) VALUES ($1, $2, 1, $3, $4, $5, $6, now(), $2, $2)`,
        [owner, key, factId(owner, key, 1), type, topic, JSON.stringify(data)]);
    } else {
      const { value } = (await recentFormats(db)).now({ topic, type, data }, JSON.stringify(data));
      await producer.send([{ topic, key, value, headers: {} }]);
    }
  }
  while ((await publishPending(db, producer, EVERY_SHARD)) > 0);

  const topics = [...new Set(contracts.map(({ topic }) => topic))];
  const read = new Map((await foreign.consume(topics.map(inCluster))).map((record) => [record.key, record]));
  for (const { name, namespace, topic } of contracts) {
    const { data, avro = data } = SAMPLES[name]!;
    const seen = read.get(keys.get(name)!);
    expect([name, seen?.topic, seen?.schema, seen?.data]).toEqual([name, inCluster(topic), `${namespace}.${name}`, avro]);
  }

  const theirs = new Map(contracts.map(({ name }) => [name, randomUUID()]));
  await foreign.produce(contracts.map(({ name, namespace, topic }) => ({
    topic: inCluster(topic), key: theirs.get(name)!, data: SAMPLES[name]!.avro ?? SAMPLES[name]!.data,
    ...(contracts.filter((one) => one.topic === topic).length > 1 && { branch: `${namespace}.${name}` }),
  })));
  const codec = openCodec(config, db);
  for (const topic of topics) {
    const records = await rawRecordsOn(config, topic);
    for (const { name } of contracts.filter((one) => one.topic === topic)) {
      const value = records.find(({ key }) => String(key) === theirs.get(name))?.value ?? null;
      expect([name, JSON.stringify(await codec.read(topic, value))]).toEqual([name, JSON.stringify(SAMPLES[name]!.data)]);
      expect([name, value?.toString('base64')]).toEqual([name, read.get(keys.get(name)!)?.bytes]);
    }
  }
}, 60_000);

test('a schema that breaks ours is refused by the registry, too', async () => {
  const schema = JSON.stringify({ type: 'record', name: 'TaskFailed', namespace: 'com.contentfarm.events', fields: [{ name: 'taskId', type: 'long' }] });
  const answer = await fetch(`${registryUrl()}/subjects/${inCluster('task.failed')}-value/versions`, {
    method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ schema }),
  });
  expect(answer.status).toBe(409);
});
