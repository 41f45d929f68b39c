import { randomBytes, randomUUID } from 'node:crypto';
import type { Message } from 'kafkajs';
import { tellFacts } from '../src/facts/tell';
import { content } from '../workflows/content/definition';
import { cancel, created, openTestIngress, type TestIngress } from './setup/ingress';
import { rawRecordsOn } from './setup/raw-records';
import { PARTS_TIMEOUT_MS } from './setup/stack';
import { storyOf, tellingsOf } from './setup/story';

/** Promise P5: consumed = started + signalled + duplicate + filtered + dead_lettered, and each where it belongs. */

let ingress: TestIngress;
beforeEach(async () => (ingress = await openTestIngress()), PARTS_TIMEOUT_MS);
afterEach(() => ingress.close());

const ids = (count: number) => Array.from({ length: count }, () => randomUUID() as string);
const keyed = (taskId: string, value: Buffer | null): Message => ({ key: taskId, value });
const MIB = 1_048_576;
/** Equality of bytes; jest's own looks at each of a million of them. */
const same = (one: Buffer | null | undefined, other: Buffer | null | undefined) => (one && other ? one.equals(other) : one == null && other == null);
const storedTasks = async () => (await ingress.db.query<{ id: string }>('SELECT aggregate_id AS id FROM facts WHERE version = 1')).rows.map(({ id }) => id).sort();

/** One of every kind of record that can never be taken, and the code that says why. */
const POISON: readonly (readonly [code: string, value: Buffer | null])[] = [
  ['FZ_RECORD_EMPTY', null],
  ['FZ_RECORD_EMPTY', Buffer.alloc(0)],
  ['FZ_RECORD_TOO_LARGE', created(randomUUID(), { userId: 'x'.repeat(1_048_576) })],
  ['FZ_RECORD_UNDECODABLE', Buffer.concat([Buffer.from([0, 0, 0, 0, 7]), created(randomUUID())])],
  ['FZ_RECORD_UNDECODABLE', Buffer.from('{"taskId": ')],
  ['FZ_RECORD_UNDECODABLE', Buffer.from([0x22, 0xff, 0xfe, 0x22])],
  ['FZ_TEXT_UNSTORABLE', created(randomUUID(), { variables: { product: 'a\u0000b' } })],
  ['FZ_TEXT_UNSTORABLE', created(randomUUID(), { variables: { product: 'a\ud800b' } })],
  ['FZ_TEXT_UNSTORABLE', created(randomUUID(), { variables: { 'a\u0000b': 1 } })],
  ['FZ_BODY_TOO_DEEP', created(randomUUID(), { variables: { deep: JSON.parse(`${'['.repeat(40)}${']'.repeat(40)}`) as object } })],
  ['FZ_BODY_TOO_DEEP', Buffer.from('['.repeat(500_000) + ']'.repeat(500_000))],
  ['FZ_SCHEMA_INVALID', created(randomUUID(), { userId: undefined })],
  ['FZ_SCHEMA_INVALID', created('no-uuid')],
  ['FZ_SCHEMA_INVALID', created(randomUUID(), { priority: 'urgent' })],
  ['FZ_SCHEMA_INVALID', created(randomUUID(), { timestamp: 1e300 })],
  ['FZ_SCHEMA_INVALID', created(randomUUID(), { timestamp: -1 })],
  ['FZ_SCHEMA_INVALID', Buffer.from('null')],
  ['FZ_SCHEMA_INVALID', Buffer.from('[]')],
];

test('among 100 good records of one batch, each bad one is dead-lettered once, as it came, and the good ones start', async () => {
  const good = ids(100);
  const headers = { 'x-plain': 'text', 'x-bytes': Buffer.from([0xff, 0, 0x80]), 'x-twice': ['one', 'two'], dlq_reason: 'an earlier death' };
  const poison = POISON.map(([, value], index): Message => ({ key: index % 2 ? Buffer.from([index, 0xff]) : null, value, headers }));
  // Bad ones stand at the beginning, in between and at the end.
  const batch = good.map((id) => keyed(id, created(id)));
  poison.forEach((record, index) => batch.splice(Math.round((index * (batch.length + 1)) / POISON.length), 0, record));
  await ingress.write('task.created', [...batch, poison[0]!], 3);
  await ingress.start();
  await ingress.caughtUp();

  expect(await storedTasks()).toEqual([...good].sort());
  expect(await Promise.all(good.map((id) => ingress.runs(id)))).toEqual(good.map(() => true));
  expect(await ingress.fates()).toEqual({ started: 100, dead_lettered: POISON.length + 1 });

  const dead = await rawRecordsOn(ingress.config, 'task.created.dlq');
  expect(dead).toHaveLength(POISON.length + 1);
  for (const [index, [code, value]] of [...POISON, POISON[0]!].entries()) {
    const offset = index === POISON.length ? batch.length : batch.indexOf(poison[index]!);
    const letter = dead[index];
    const original = poison[index % POISON.length]!;
    expect(same(letter?.value, value)).toBe(true);
    expect(same(letter?.key, original.key as Buffer | null)).toBe(true);
    const { dlq_reason, dlq_error_code, dlq_topic, dlq_partition, dlq_offset, dlq_group, dlq_at, ...rest } = letter?.headers ?? {};
    expect(rest).toEqual({ 'x-plain': Buffer.from('text'), 'x-bytes': headers['x-bytes'], 'x-twice': [Buffer.from('one'), Buffer.from('two')] });
    const why = [dlq_error_code, dlq_topic, dlq_partition, dlq_offset, dlq_group].map(String);
    expect(why).toEqual([code, 'task.created', '3', String(offset), 'task-assignment-group']);
    expect(String(dlq_reason)).not.toMatch(/earlier/);
    expect(Date.parse(String(dlq_at))).toBeGreaterThan(Date.now() - 60_000);
  }
});

test('a record as large as its topic takes, or larger when unpacked, still reaches its dead-letter topic', async () => {
  const [good = ''] = ids(1);
  const full = randomBytes(4 * MIB - 8 * 1024);
  const unpacked = Buffer.alloc(12 * MIB, 'u');
  const pad = Buffer.alloc(MIB, 'h');
  await ingress.write('task.created', [{ value: full }]);
  await ingress.writePacked('task.created', [{ value: unpacked }]);
  // Small values with large headers: what goes into one request must be counted with them.
  await ingress.writePacked('task.created', Array.from({ length: 6 }, () => ({ value: Buffer.from('{'), headers: { pad } })));
  await ingress.write('task.created', [keyed(good, created(good))]);
  await ingress.start();
  await ingress.caughtUp();
  expect(await ingress.fates()).toEqual({ started: 1, dead_lettered: 8 });
  const dead = await rawRecordsOn(ingress.config, 'task.created.dlq');
  expect(dead).toHaveLength(8);
  expect([same(dead[0]?.value, full), same(dead[1]?.value, unpacked)]).toEqual([true, true]);
  expect(dead.slice(2).map(({ value, headers }) => [String(value), same(headers.pad as Buffer, pad)])).toEqual(Array(6).fill(['{', true]));
});

test('every record of a mix has one fate, and together they are what was consumed', async () => {
  const fresh = ids(20);
  const finished = randomUUID();
  await tellStory(finished);
  await ingress.write('task.created', fresh.map((id) => keyed(id, created(id))), 1);
  await ingress.write('task.created', fresh.slice(0, 7).map((id) => keyed(id, created(id, { userId: 'somebody else' }))), 2);
  await ingress.write('task.created', [keyed(finished, created(finished)), keyed('x', Buffer.from('?'))], 5);
  await ingress.write('task.cancel', [keyed(finished, cancel(finished)), keyed(fresh[0]!, cancel(fresh[0]!)), keyed('?', cancel(randomUUID())), keyed('x', null)], 4);
  await ingress.start();
  await ingress.caughtUp();

  const fates = await ingress.fates();
  expect(fates).toEqual({ started: 20, duplicate: 8, signalled: 2, filtered: 1, dead_lettered: 2 });
  expect(Object.values(fates).reduce((sum, count) => sum + count, 0)).toBe(await ingress.committed());
  expect(await ingress.runs(finished)).toBe(false);
  expect(await rawRecordsOn(ingress.config, 'task.cancel.dlq')).toHaveLength(1);
});

test('the same task delivered again, far apart and in other bytes, is one story and one workflow', async () => {
  const [task = '', ...others] = ids(60);
  await ingress.write('task.created', [keyed(task, created(task)), keyed(task, created(task))], 0);
  await ingress.start();
  await ingress.caughtUp();
  const [first] = (await ingress.db.query('SELECT * FROM facts')).rows as unknown[];
  const { runId } = await ingress.temporal.workflow.getHandle(`content/${task}`).describe();

  for (const id of others) await ingress.write('task.created', [keyed(id, created(id))], 0);
  await ingress.write('task.created', [keyed(task, created(task))], 0);
  await ingress.write('task.created', [keyed(task, created(task.toUpperCase(), { priority: 'high', eventId: 'another' }))], 7);
  await ingress.caughtUp();

  expect(await ingress.fates()).toEqual({ started: 60, duplicate: 3 });
  expect((await ingress.db.query('SELECT * FROM facts WHERE aggregate_id = $1', [task])).rows).toEqual([first]);
  expect((await ingress.temporal.workflow.getHandle(`content/${task}`).describe()).runId).toBe(runId);
});

/** A story that is over, and of which Temporal knows nothing any more. */
async function tellStory(taskId: string): Promise<void> {
  for (const telling of tellingsOf(taskId, storyOf(taskId))) await tellFacts(ingress.db, content, [telling]);
}
