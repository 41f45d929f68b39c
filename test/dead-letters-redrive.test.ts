import { createHash, randomUUID } from 'node:crypto';
import { redrive } from '../src/deadletters/redrive';
import { JSON_CODEC } from '../src/kafka/codec';
import { fakeProducer } from './setup/fake-producer';
import { openLetterStage, type LetterStage } from './setup/dead-letters';
import { created } from './setup/ingress';
import { rawRecordsOn, type RawRecord } from './setup/raw-records';
import { PARTS_TIMEOUT_MS } from './setup/stack';
import { until } from './setup/until';

/** A dead letter goes back once, as it was or as it was mended, with its identity, and it stays known who did it and why. */

let stage: LetterStage;
beforeAll(async () => {
  stage = await openLetterStage();
  await stage.ingress.start();
}, PARTS_TIMEOUT_MS);
afterAll(() => stage.close());

const sha256 = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex');
const on = (topic: string) => rawRecordsOn(stage.ingress.config, topic);
const HEADERS = { correlation_id: 'a-correlation', 'x-bytes': Buffer.from([0xff, 0, 0x80]), 'x-twice': ['one', 'two'] };

/** Writes a record that dies, and gives the id of its letter once it is listed. */
async function died(value: Buffer | null, key: string = randomUUID(), partition = 5): Promise<{ id: string; key: string }> {
  await stage.ingress.write('task.created', [{ key, value, headers: HEADERS }], partition);
  await stage.ingress.caughtUp();
  const offset = (await on('task.created')).filter((record) => record.partition === partition).at(-1)?.offset;
  const id = `task.created/${partition}/${offset}`;
  await until(async () => (await stage.letters()).some((letter) => letter.id === id), `${id} is listed`);
  return { id, key };
}

/** Records that say they come from this letter. */
async function redrivenFrom(id: string): Promise<RawRecord[]> {
  return (await on('task.created')).filter(({ headers }) => String(headers.redriven_from) === id);
}

test('it goes back as it was, to its own partition, and what dies again is a new letter of it', async () => {
  const value = Buffer.from('{"no": "task"}');
  const { id, key } = await died(value);
  const answer = await stage.redrive(id);
  expect([answer.status, answer.json]).toEqual([202, expect.objectContaining({
    id, topic: 'task.created', redrivenTo: expect.stringMatching(/^task.created\/5\/\d+$/), by: 'admin', why: null, edited: false,
    before: { sha256: sha256(value), bytes: value.length }, after: { sha256: sha256(value), bytes: value.length },
  })]);

  const [back, ...more] = await redrivenFrom(id);
  expect(more).toEqual([]);
  expect([back?.partition, String(back?.key), back?.value]).toEqual([5, key, value]);
  expect(back?.headers).toEqual({
    correlation_id: Buffer.from('a-correlation'), 'x-bytes': HEADERS['x-bytes'], 'x-twice': [Buffer.from('one'), Buffer.from('two')], redriven_from: Buffer.from(id),
  });

  await stage.ingress.caughtUp();
  const again = `task.created/5/${back?.offset}`;
  expect(answer.json.redrivenTo).toBe(again);
  await until(async () => (await stage.letters()).some((letter) => letter.id === again), 'it has died again');
  const all = await stage.letters();
  expect(all.find((letter) => letter.id === id)).toMatchObject({ state: 'redriven', redrivenFrom: null, redrive: { redrivenTo: again } });
  expect(all.find((letter) => letter.id === again)).toMatchObject({ state: 'open', redrivenFrom: id, redrive: null });
});

test('an empty value and none at all are put back as what they are', async () => {
  for (const value of [null, Buffer.alloc(0)]) {
    const { id } = await died(value);
    expect((await stage.redrive(id)).status).toBe(202);
    expect((await redrivenFrom(id)).map((record) => record.value)).toEqual([value]);
  }
});

test('mended, it starts its story; who did it, why, and both digests are on a topic', async () => {
  const taskId = randomUUID();
  const bad = created(taskId, { userId: undefined });
  const good = created(taskId);
  const { id } = await died(bad, taskId);
  const body = { why: 'the user was missing', value: JSON.parse(String(good)) as object };

  const tried = await stage.redrive(id, { ...body, dryRun: true });
  expect([tried.status, tried.json]).toEqual([200, expect.objectContaining({
    id, dryRun: true, state: 'open', wouldBecome: { fate: 'started', domain: 'content', noun: 'task', aggregateId: taskId, type: 'TaskCreated' },
  })]);
  expect(await redrivenFrom(id)).toEqual([]);

  const done = await stage.redrive(id, body, { 'x-user-id': 'ana' });
  expect([done.status, done.json]).toEqual([202, expect.objectContaining({ by: 'ana', why: 'the user was missing', edited: true })]);
  const [back] = await redrivenFrom(id);
  expect([back?.value, String(back?.key), String(back?.headers.correlation_id)]).toEqual([good, taskId, 'a-correlation']);
  await stage.ingress.caughtUp();
  expect(await stage.ingress.runs(taskId)).toBe(true);
  const { rows } = await stage.ingress.db.query('SELECT correlation_id FROM facts WHERE aggregate_id = $1', [taskId]);
  expect(rows).toEqual([{ correlation_id: 'a-correlation' }]);

  const note = (await on('dead-letters.redriven')).find(({ key }) => String(key) === id);
  expect(JSON.parse(String(note?.value))).toEqual({
    letterId: id, redrivenTo: `task.created/5/${back?.offset}`, by: 'ana', why: 'the user was missing', at: done.json.at, edited: true, before: sha256(bad), after: sha256(good),
  });
  const shown = await stage.admin('GET', `/admin/dead-letters/${encodeURIComponent(id)}`);
  expect(shown.json).toMatchObject({ state: 'redriven', redrive: { by: 'ana', why: 'the user was missing', before: sha256(bad), after: sha256(good) } });
});

test('an edit that would die too is refused with its fault, and leaves the letter as it was', async () => {
  const { id } = await died(Buffer.from('{'));
  const { status, json } = await stage.redrive(id, { value: { taskId: 'no-uuid' } });
  expect([status, json.code]).toEqual([422, 'FZ_SCHEMA_INVALID']);
  expect(String(json.detail)).toMatch(/taskId/);
  const bytes = await stage.redrive(id, { valueBase64: Buffer.from('{"').toString('base64') });
  expect([bytes.status, bytes.json.code]).toEqual([422, 'FZ_RECORD_UNDECODABLE']);
  expect([await redrivenFrom(id), (await stage.letters()).find((letter) => letter.id === id)?.state]).toEqual([[], 'open']);

  const tried = await stage.redrive(id, { value: { taskId: 'no-uuid' }, dryRun: true });
  expect([tried.status, tried.json.wouldBecome]).toEqual([200, expect.objectContaining({ fate: 'dead_lettered', errorCode: 'FZ_SCHEMA_INVALID' })]);
});

test('a second redrive is refused, also when twenty ask at once', async () => {
  const { id } = await died(Buffer.from('{"x":1}'));
  const answers = await Promise.all(Array.from({ length: 20 }, () => stage.redrive(id)));
  expect(answers.map(({ status }) => status).sort()).toEqual([202, ...Array<number>(19).fill(409)]);
  expect(answers.filter(({ status }) => status === 409).map(({ json }) => json.code)).toEqual(Array(19).fill('FZ_ALREADY_REDRIVEN'));
  expect((await stage.redrive(id, { why: 'again' })).status).toBe(409);
  expect(await redrivenFrom(id)).toHaveLength(1);
});

test('the same Idempotency-Key gets the same answer', async () => {
  const { id } = await died(Buffer.from('{"y":1}'));
  const [first, second] = [await stage.redrive(id, {}, { 'idempotency-key': 'k' }), await stage.redrive(id, {}, { 'idempotency-key': 'k' })];
  expect([first?.status, second?.text]).toEqual([202, first?.text]);
  expect(await redrivenFrom(id)).toHaveLength(1);
});

describe('where it is not known whether Kafka has it', () => {
  const wish = { by: 'me', why: null };

  test('the row says so, and the next try sends the same bytes again', async () => {
    const taskId = randomUUID();
    const { id } = await died(created(taskId, { priority: 'urgent' }), taskId);
    const [{ db }, codec, producer] = [stage.ingress, JSON_CODEC, fakeProducer()];
    producer.mood = 'refuses';
    const value = created(taskId);
    await expect(redrive({ db, codec, producer }, id, { ...wish, value })).rejects.toMatchObject({ code: 'FZ_KAFKA_AWAY' });
    expect((await stage.letters('state=unfinished')).map((letter) => letter.id)).toEqual([id]);

    producer.mood = 'takes';
    const other = created(taskId, { priority: 'low' });
    await expect(redrive({ db, codec, producer }, id, { ...wish, value: other })).rejects.toMatchObject({ code: 'FZ_REDRIVE_UNFINISHED' });
    expect(producer.given).toEqual([]);
    // Who does not say with which bytes finishes what was begun.
    const { redrive: done } = await redrive({ db, codec, producer }, id, { by: 'somebody else', why: 'finish it' });
    expect([done.by, done.edited]).toEqual(['me', true]);
    expect(producer.given.map(({ topic, value: bytes }) => [topic, topic === 'task.created' ? bytes : null])).toEqual([['task.created', value], ['dead-letters.redriven', null]]);
    await expect(redrive({ db, codec, producer }, id, wish)).rejects.toMatchObject({ code: 'FZ_ALREADY_REDRIVEN' });
  });

  test('a crash after the record and before its note is healed by the next try', async () => {
    const { id } = await died(Buffer.from('{"z":1}'));
    const { db } = stage.ingress;
    const dying = fakeProducer();
    dying.place = async (record) => {
      dying.given.push(record);
      return { partition: 5, offset: '0', timestampMs: 0 };
    };
    dying.send = () => Promise.reject(new Error('the process dies here'));
    await expect(redrive({ db, codec: JSON_CODEC, producer: dying }, id, wish)).rejects.toThrow('dies here');
    expect((await stage.redrive(id)).status).toBe(202);
    expect([dying.given, await redrivenFrom(id)].map((records) => records.map(({ value }) => String(value)))).toEqual([['{"z":1}'], ['{"z":1}']]);
  });

  test('a crash after the note and before the row is marked is healed by the note', async () => {
    const { id } = await died(Buffer.from('{"w":1}'));
    expect((await stage.redrive(id)).status).toBe(202);
    await stage.ingress.db.query("UPDATE dead_letter_redrives SET sent_at = NULL, held_until = now() + interval '1 hour' WHERE letter_id = $1", [id]);
    await stage.admin('POST', '/admin/dead-letters/reindex');
    await until(async () => (await stage.letters('state=redriven')).some((letter) => letter.id === id), 'the note was read', 30_000);
    expect((await stage.redrive(id)).status).toBe(409);
  });

  test('without a connection nothing is begun', async () => {
    const { id } = await died(Buffer.from('{"v":1}'));
    const producer = fakeProducer();
    producer.mood = 'away';
    await expect(redrive({ db: stage.ingress.db, codec: JSON_CODEC, producer }, id, wish)).rejects.toMatchObject({ code: 'FZ_KAFKA_AWAY' });
    expect((await stage.letters()).find((letter) => letter.id === id)?.state).toBe('open');
  });
});

test.each([
  ['an unknown letter', 'task.created/0/999999', {}, 404, 'FZ_NOT_FOUND'],
  ['no letter at all', 'x', {}, 404, 'FZ_NOT_FOUND'],
  ['two edits', 'task.created/0/0', { value: 1, valueBase64: 'AA==' }, 422, 'FZ_SCHEMA_INVALID'],
  ['an unknown field', 'task.created/0/0', { force: true }, 422, 'FZ_SCHEMA_INVALID'],
])('%s', async (_what, id, body, status, code) => {
  const answer = await stage.redrive(id, body);
  expect([answer.status, answer.json.code]).toEqual([status, code]);
});
