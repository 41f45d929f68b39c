import { randomUUID } from 'node:crypto';
import { CompressionTypes, type Kafka } from 'kafkajs';
import { readConfig, type Config } from '../src/config';
import { clusterName, openKafka } from '../src/kafka/client';
import type { IncomingRecord } from '../src/kafka/port';
import { createOwnTopics } from '../src/kafka/topics';
import { openLog } from '../src/log';
import { extentsOf, readSpans, readTopics, spanOf } from '../src/replay/read-topics';
import { PARTS_TIMEOUT_MS, realParts } from './setup/stack';
import { awaitLeaders } from './setup/topic';

/** A reader of the log sees each record of what it asked for once, ends where the log ended, and moves nobody's place. */

let config: Config;
let kafka: Kafka;
const log = () => openLog(config, 'test');
beforeAll(async () => {
  config = readConfig({ ...(await realParts()), KAFKA_TOPIC_PREFIX: `${randomUUID()}.`, LOG_LEVEL: process.env.TEST_LOG_LEVEL ?? 'silent' });
  kafka = openKafka(config, log());
}, PARTS_TIMEOUT_MS);

async function topicWith(partitions: number, counts: readonly number[], size = 10): Promise<string> {
  const name = `read-${randomUUID()}`;
  await createOwnTopics(config, log(), { [name]: partitions });
  await awaitLeaders(config, [clusterName(config, name)]);
  for (const [partition, count] of counts.entries()) await write(name, partition, 0, count, size);
  return name;
}

async function write(topic: string, partition: number, first: number, count: number, size = 10): Promise<void> {
  const producer = kafka.producer();
  await producer.connect();
  const messages = Array.from({ length: count }, (_, at) => ({ key: String(first + at), value: `${partition}/${first + at}/`.padEnd(size, 'x'), partition }));
  for (let at = 0; at < messages.length; at += 500) {
    await producer.send({ topic: clusterName(config, topic), messages: messages.slice(at, at + 500), compression: CompressionTypes.None });
  }
  await producer.disconnect();
}

async function all(batches: AsyncIterable<readonly IncomingRecord[]>): Promise<IncomingRecord[]> {
  const seen: IncomingRecord[] = [];
  for await (const batch of batches) seen.push(...batch);
  return seen;
}
const places = (records: readonly IncomingRecord[]) => records.map(({ topic, partition, offset }) => `${topic}/${partition}/${offset}`).sort();
const expected = (topic: string, partition: number, from: number, until: number) => Array.from({ length: until - from }, (_, at) => `${topic}/${partition}/${from + at}`);

test('every record of two topics once, in order within a partition, whatever their sizes', async () => {
  const [one, two] = [await topicWith(3, [1_200, 0, 7], 3_000), await topicWith(2, [5, 1])];
  const seen = await all(readTopics(config, log(), [one, two, 'not-there']));
  expect(places(seen)).toEqual([...expected(one, 0, 0, 1_200), ...expected(one, 2, 0, 7), ...expected(two, 0, 0, 5), ...expected(two, 1, 0, 1)].sort());
  const offsets = seen.filter(({ topic, partition }) => topic === one && partition === 0).map(({ offset }) => Number(offset));
  expect(offsets).toEqual(offsets.toSorted((a, b) => a - b));
}, 60_000);

test('what is written while it reads is not read, and what is not asked for neither', async () => {
  const topic = await topicWith(3, [50, 50, 50]);
  const extents = await extentsOf(config, log(), [topic]);
  await write(topic, 0, 50, 20);
  expect(places(await all(readSpans(config, log(), extents.map(spanOf))))).toHaveLength(150);
  const spans = [{ topic, partition: 1, from: 3n, until: 5n }, { topic, partition: 1, from: 4n, until: 6n }, { topic, partition: 1, from: 40n, until: 41n }, { topic, partition: 2, from: 9n, until: 9n }];
  expect(places(await all(readSpans(config, log(), spans, { bytesPerPartition: 1 })))).toEqual([...expected(topic, 1, 3, 6), ...expected(topic, 1, 40, 41)].sort());
}, 60_000);

test('whoever takes slowly is waited for, and whoever stops taking leaves nothing behind', async () => {
  const topic = await topicWith(1, [3_000], 2_000);
  let batches = 0;
  let taken = 0;
  for await (const batch of readTopics(config, log(), [topic])) {
    batches += 1;
    taken += batch.length;
    if (batches === 2) break;
  }
  expect(taken).toBeLessThan(3_000);
  const admin = kafka.admin();
  await admin.connect();
  const { groups } = await admin.listGroups();
  const ours = groups.map(({ groupId }) => groupId).filter((group) => group.startsWith(clusterName(config, 'fazenda-reader')));
  const { groups: described } = ours.length > 0 ? await admin.describeGroups(ours) : { groups: [] };
  expect(described.flatMap(({ members }) => members)).toEqual([]);
  // Nothing was committed in any of them.
  for (const group of ours) {
    const [offsets] = await admin.fetchOffsets({ groupId: group, topics: [clusterName(config, topic)] });
    expect(offsets?.partitions.map(({ offset }) => offset)).toEqual(['-1']);
  }
  await admin.disconnect();
}, 60_000);

test('a stretch that ends in the mark of a transaction ends all the same, and what was aborted is not seen', async () => {
  const topic = await topicWith(1, [2]);
  const producer = kafka.producer({ transactionalId: randomUUID(), maxInFlightRequests: 1, idempotent: true });
  await producer.connect();
  for (const end of ['abort', 'commit', 'abort'] as const) {
    const transaction = await producer.transaction();
    await transaction.send({ topic: clusterName(config, topic), messages: [{ key: end, value: end }] });
    await transaction[end]();
  }
  await producer.disconnect();
  const seen = await all(readTopics(config, log(), [topic]));
  expect(seen.map(({ key }) => String(key))).toEqual(['0', '1', 'commit']);
}, 60_000);

test('brokers that are away are an error with a code, not an endless wait', async () => {
  const away = readConfig({ KAFKA_BROKERS: '127.0.0.1:1', LOG_LEVEL: 'silent' });
  await expect(extentsOf(away, log(), ['x'])).rejects.toMatchObject({ code: 'FZ_KAFKA_AWAY' });
  await expect(all(readSpans(away, log(), [{ topic: 'x', partition: 0, from: 0n, until: 1n }]))).rejects.toMatchObject({ code: 'FZ_KAFKA_AWAY' });
  const topic = await topicWith(1, [1]);
  const beyond = [{ topic, partition: 0, from: 0n, until: 2n }];
  await expect(all(readSpans(config, log(), beyond, { silenceMaxMs: 500 }))).rejects.toMatchObject({ code: 'FZ_KAFKA_AWAY' });
}, 60_000);
