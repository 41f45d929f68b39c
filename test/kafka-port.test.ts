import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { join } from 'node:path';
import type { Admin } from 'kafkajs';
import type { Config } from '../src/config';
import { clusterName, openKafka } from '../src/kafka/client';
import { offsetAfter } from '../src/kafka/consumer';
import type { Chunk, Consumer, IncomingRecord, Producer } from '../src/kafka/port';
import { openLog } from '../src/log';
import { compiled } from './setup/compiled';
import { configOn, enterOn, producerOn, record, SESSION_MS } from './setup/port';
import { PARTS_TIMEOUT_MS, realParts } from './setup/stack';
import { until } from './setup/until';

/** What src/kafka/port.ts promises, asked of whatever stands behind it, on a real broker. */

const NONE = Buffer.alloc(0);
let config: Config;
let producer: Producer;
let admin: Admin;
const opened: Consumer[] = [];
beforeAll(async () => {
  config = await configOn((await realParts()).KAFKA_BROKERS ?? '');
  producer = await producerOn(config);
  admin = openKafka(config, openLog(config, 'test')).admin();
  await admin.connect();
}, PARTS_TIMEOUT_MS);
afterEach(async () => {
  await Promise.all(opened.splice(0).map((consumer) => consumer.stop()));
});
afterAll(async () => {
  await Promise.all([producer.stop(), admin.disconnect()]);
});

/** A member of a group that hands every chunk to `onChunk`, until the test ends. */
async function enter(topic: string, group: string, onChunk: (chunk: Chunk) => Promise<void>, chunkMax?: number): Promise<Consumer> {
  const consumer = await enterOn(config, topic, group, onChunk, chunkMax);
  opened.push(consumer);
  return consumer;
}

async function committed(topic: string, group: string): Promise<number> {
  const [answer] = await admin.fetchOffsets({ groupId: clusterName(config, group), topics: [clusterName(config, topic)] });
  return (answer?.partitions ?? []).reduce((sum, { offset }) => sum + Math.max(0, Number(offset)), 0);
}

test('every record comes once, in order within its partition, and as it was sent', async () => {
  const sent = Array.from({ length: 2_000 }, (_, index) => record('task.assigned', `k${index % 40}`, String(index)));
  await Promise.all([producer.send(sent.slice(0, 1_000)), producer.send(sent.slice(1_000))]);
  const seen: IncomingRecord[] = [];
  await enter('task.assigned', 'once', async ({ records }) => { seen.push(...records); });
  await until(async () => (await committed('task.assigned', 'once')) === 2_000, 'all is committed');

  expect(seen.map(({ value }) => Number(value)).sort((a, b) => a - b)).toEqual(sent.map((_, index) => index));
  const next = new Map<number, bigint>();
  const last = new Map<string, number>();
  for (const { partition, offset, key, value, topic } of seen) {
    expect([topic, BigInt(offset)]).toEqual(['task.assigned', next.get(partition) ?? 0n]);
    expect(Number(value)).toBeGreaterThan(last.get(String(key)) ?? -1);
    next.set(partition, BigInt(offset) + 1n);
    last.set(String(key), Number(value));
  }
  expect(next.size).toBeGreaterThan(1);
});

test('bytes, null keys, null values and headers arrive exactly, also beyond 1 MiB', async () => {
  const bytes = Buffer.from([0, 0xff, 0x80, 0xc3, 0x28]);
  const large = randomBytes(3 * 1_048_576);
  // Every object of JavaScript has a toString of its own.
  const headers = { text: 'olá', bytes, twice: ['one', 'two'], empty: '', toString: 'mine' };
  // The protocol knows a header without a value, the types do not.
  const nothing = JSON.parse('null') as string;
  await producer.send([record('task.failed', null, bytes, { ...headers, nothing, 'nothing twice': [nothing, 'x', nothing] }), record('task.failed', bytes, null), record('task.failed', '', ''), record('task.failed', 'large', large)]);
  const seen: IncomingRecord[] = [];
  await enter('task.failed', 'exact', async ({ records }) => { seen.push(...records); });
  await until(() => seen.length === 4, 'all have come');

  const [odd, tombstone, empty, huge] = [null, bytes, Buffer.alloc(0), Buffer.from('large')].map((key) => seen.find((one) => (key ? one.key?.equals(key) : one.key === null)));
  expect([odd?.value, odd?.headers]).toEqual([bytes, { text: 'olá', bytes: String(bytes), twice: 'two', empty: '', toString: 'mine' }]);
  expect(odd?.rawHeaders).toEqual({ text: Buffer.from('olá'), bytes, twice: [Buffer.from('one'), Buffer.from('two')], empty: NONE, toString: Buffer.from('mine'), nothing, 'nothing twice': [nothing, Buffer.from('x'), nothing] });
  expect([tombstone?.value, empty?.value]).toEqual([null, Buffer.alloc(0)]);
  expect(huge?.value?.equals(large)).toBe(true);
});

test('a chunk is committed after it is done and never before; one that fails comes again, and what follows waits', async () => {
  await producer.send(Array.from({ length: 10 }, (_, index) => record('task.cancelled', 'one key', String(index))));
  const given: Chunk[] = [];
  const commits: number[] = [];
  await enter('task.cancelled', 'again', async (chunk) => {
    given.push(chunk);
    commits.push(await committed('task.cancelled', 'again'));
    if (given.length <= 3) throw new Error('a store is away');
  }, 4);
  await until(async () => (await committed('task.cancelled', 'again')) === 10, 'all is committed');

  expect(given.map(({ records }) => records.map(({ value }) => Number(value)))).toEqual([...Array(4).fill([0, 1, 2, 3]), [4, 5, 6, 7], [8, 9]]);
  // What a handler remembers of a chunk it finds again: it is the same object.
  expect(new Set(given.slice(0, 4)).size).toBe(1);
  const doneBefore = [0, 0, 0, 0, 4, 8];
  expect(commits.filter((offset, which) => offset > doneBefore[which]!)).toEqual([]);
});

/** Chunks that let the next one come at once, and are done when the test says so. */
function heldChunks(): { given: Chunk[]; values(): string[]; end(): void; onChunk(chunk: Chunk): Promise<void> } {
  const given: Chunk[] = [];
  let end: () => void = () => undefined;
  const ended = new Promise<void>((resolve) => (end = resolve));
  const onChunk = async (chunk: Chunk): Promise<void> => {
    given.push(chunk);
    chunk.letNext();
    await ended;
  };
  return { given, values: () => given.flatMap(({ records }) => records.map(({ value }) => String(value))), end, onChunk };
}

test('chunks that let the next one come are committed when they are done, and a stop waits for them', async () => {
  const put = (...values: string[]) => producer.send(values.map((value) => record('orders.paid', 'one key', value)));
  const held = heldChunks();
  const consumer = await enter('orders.paid', 'ahead', held.onChunk);
  await put('0', '1', '2');
  await until(() => held.values().length === 3, 'the first have come');
  await put('3', '4');
  await until(() => held.values().length === 5, 'the next have come');
  expect([held.values(), await committed('orders.paid', 'ahead')]).toEqual([['0', '1', '2', '3', '4'], 0]);
  const stopped = consumer.stop();
  await put('5');
  held.end();
  await stopped;
  expect(await committed('orders.paid', 'ahead')).toBe(5);

  const seen: string[] = [];
  await enter('orders.paid', 'ahead', async ({ records }) => { seen.push(...records.map(({ value }) => String(value))); });
  await until(async () => (await committed('orders.paid', 'ahead')) === 6, 'the rest is committed');
  expect(seen).toEqual(['5']);
});

test('when as many records are in hand as a chunk may have, the next wait', async () => {
  const held = heldChunks();
  const given: string[] = [];
  await enter('inventory.reserved', 'room', async (chunk) => {
    given.push(chunk.records.map(({ value }) => String(value)).join());
    await held.onChunk(chunk);
    given.push('done');
  }, 2);
  await producer.send(Array.from({ length: 4 }, (_, index) => record('inventory.reserved', 'one key', String(index))));
  await until(() => given.length === 1, 'the first has come');
  held.end();
  await until(async () => (await committed('inventory.reserved', 'room')) === 4, 'all is committed');
  expect(given).toEqual(['0,1', 'done', '2,3', 'done']);
});

test('what a member has let go and not done goes to whoever has its partition next', async () => {
  const held = heldChunks();
  await enter('orders.failed', 'moved', held.onChunk);
  await producer.send(Array.from({ length: 60 }, (_, index) => record('orders.failed', `k${index}`, String(index))));
  await until(() => held.values().length === 60, 'one member has all');
  const seen: string[] = [];
  await enter('orders.failed', 'moved', async ({ records }) => { seen.push(...records.map(({ value }) => String(value))); });
  await until(() => held.given[0]?.stale() === true, 'the first knows that it has lost them');
  held.end();
  await until(async () => (await committed('orders.failed', 'moved')) === 60, 'all is committed');
  expect(seen.length).toBeGreaterThan(0);
  expect(new Set([...seen, ...held.values().slice(60)]).size).toBe(60);
});

test('a chunk that takes longer than the session keeps its membership, and is committed', async () => {
  await producer.send([record('content.stored', 'k', 'slow')]);
  let times = 0;
  let staleAtEnd: boolean | undefined;
  const groupId = clusterName(config, 'slow');
  await enter('content.stored', 'slow', async (chunk) => {
    times += 1;
    const began = Date.now();
    const member = await memberOf(groupId);
    expect(member).toBeDefined();
    await until(async () => {
      expect(await memberOf(groupId)).toBe(member);
      return Date.now() - began > 2 * SESSION_MS;
    }, 'two sessions have passed', 15_000, 200);
    staleAtEnd = chunk.stale();
  });
  await until(async () => (await committed('content.stored', 'slow')) === 1, 'it is committed');
  expect([times, staleAtEnd]).toEqual([1, false]);
});

async function memberOf(groupId: string): Promise<string | undefined> {
  return (await admin.describeGroups([groupId])).groups[0]?.members[0]?.memberId;
}

test('what a member was killed over, and all that was its, goes to another; likewise when it leaves', async () => {
  const [topic, group] = ['content.generated', 'heirs'];
  // The other member is a process of its own: it takes one chunk, says so, and hangs over it.
  const folder = await compiled();
  const script = `
    const { readConfig } = require(${JSON.stringify(join(folder, 'src/config'))});
    const { openConsumer } = require(${JSON.stringify(join(folder, 'src/kafka/consumer'))});
    const config = readConfig();
    const log = require(${JSON.stringify(join(folder, 'src/log'))}).openLog(config, 'heir');
    const onChunk = (chunk) => new Promise(() => console.log('has ' + chunk.records[0].value));
    openConsumer(config, log, { group: '${group}', topics: ['${topic}'], fromBeginning: true, chunkMax: 1, onChunk }, (reason) => { throw reason; }).start();`;
  const env = { ...process.env, KAFKA_BROKERS: config.KAFKA_BROKERS.join(), KAFKA_TOPIC_PREFIX: config.KAFKA_TOPIC_PREFIX, KAFKA_SESSION_TIMEOUT_MS: String(SESSION_MS), LOG_LEVEL: 'silent' };
  const child = spawn(process.execPath, ['-e', script], { env, stdio: ['ignore', 'pipe', 'inherit'] });
  try {
    await producer.send([record(topic, 'k', 'held by the dead')]);
    const [said] = (await once(child.stdout, 'data')) as [Buffer];
    expect(String(said)).toContain('has held by the dead');
  } finally {
    child.kill('SIGKILL');
  }
  const seen: string[] = [];
  const second = await enter(topic, group, async ({ records }) => { seen.push(...records.map(({ value }) => String(value))); });
  await until(() => seen.includes('held by the dead'), 'the heir has it');
  await producer.send(Array.from({ length: 60 }, (_, index) => record(topic, `k${index}`, `to all ${index}`)));
  await until(async () => (await committed(topic, group)) === 61, 'it has every partition');
  expect(seen).toHaveLength(61);

  const third: string[] = [];
  await enter(topic, group, async ({ records }) => { third.push(...records.map(({ value }) => String(value))); });
  await second.stop();
  await producer.send(Array.from({ length: 60 }, (_, index) => record(topic, `k${index}`, `later ${index}`)));
  await until(async () => (await committed(topic, group)) === 121, 'all is committed');
  expect(new Set([...seen, ...third]).size).toBe(121);
});

test.each([['0', '1'], ['9007199254740991', '9007199254740992'], ['9007199254740992', '9007199254740993'], ['9223372036854775806', '9223372036854775807']])(
  'after offset %s comes %s', (offset, next) => expect(offsetAfter(offset)).toBe(next));

test('what a partner writes in transactions, and what he takes back, leaves nothing to take behind', async () => {
  const partner = openKafka(config, openLog(config, 'test')).producer({ transactionalId: randomBytes(8).toString('hex'), maxInFlightRequests: 1, idempotent: true });
  await partner.connect();
  const write = async (values: readonly string[], end: 'commit' | 'abort'): Promise<void> => {
    const transaction = await partner.transaction();
    await transaction.send({ topic: clusterName(config, 'task.created'), messages: values.map((value) => ({ key: 'one', value })) });
    await transaction[end]();
  };
  const seen: string[] = [];
  await enter('task.created', 'transactions', async ({ records }) => { seen.push(...records.map(({ value }) => String(value))); });
  await write(['a', 'b'], 'commit');
  await write(['taken back'], 'abort');
  await write(['c'], 'commit');
  const end = async () => (await admin.fetchTopicOffsets(clusterName(config, 'task.created'))).reduce((sum, { high }) => sum + Number(high), 0);
  // Four records and the marks of three transactions.
  await until(async () => (await end()) === 7 && (await committed('task.created', 'transactions')) === 7, 'nothing is left to take');
  expect(seen).toEqual(['a', 'b', 'c']);

  // What ends a transaction is not passed by before a chunk that lies in front of it is done.
  const held = heldChunks();
  await enter('task.created', 'transactions held', held.onChunk);
  await until(() => held.values().length === 3, 'all is in hand');
  await write(['taken back, too'], 'abort');
  await producer.send([record('task.created', 'one', 'behind it')]);
  await until(() => held.values().length === 4, 'the mark was passed by');
  expect(await committed('task.created', 'transactions held')).toBe(0);
  held.end();
  await until(async () => (await committed('task.created', 'transactions held')) === 10, 'nothing is left to take');
  await partner.disconnect();
});
