import { createHash, randomUUID } from 'node:crypto';
import { migrate } from '../src/facts/migrate';
import { openLetterStage, type LetterStage, type ShownLetter } from './setup/dead-letters';
import { cancel, created } from './setup/ingress';
import { rawRecordsOn } from './setup/raw-records';
import { PARTS_TIMEOUT_MS } from './setup/stack';
import { until } from './setup/until';

/** What died can be listed by cause, looked at to the last byte, and put back by the hundred; all of it comes from the topics. */

let stage: LetterStage;
beforeAll(async () => {
  stage = await openLetterStage();
  await stage.ingress.start();
}, PARTS_TIMEOUT_MS);
afterAll(() => stage.close());

const one = async (id: string) => (await stage.admin('GET', `/admin/dead-letters/${encodeURIComponent(id)}`)).json as Record<string, Record<string, unknown>>;
const write = async (topic: string, values: readonly (Buffer | null)[], partition = 0) => {
  await stage.ingress.write(topic, values.map((value, at) => ({ key: `k${at}`, value })), partition);
};
const redriveAll = (body: object) => stage.admin('POST', '/admin/dead-letters/redrive', body);

/** What the test writes: 7 without a user and 3 that are no JSON on one topic, 2 empty ones on another. */
let all: ShownLetter[];
let since: string;
beforeAll(async () => {
  since = new Date().toISOString();
  await write('task.created', Array.from({ length: 7 }, () => created(randomUUID(), { userId: undefined })), 3);
  await write('task.created', Array.from({ length: 3 }, () => Buffer.from('{')), 4);
  await write('task.cancel', [null, Buffer.alloc(0)], 1);
  await stage.ingress.caughtUp();
  all = await stage.listed(12);
}, 60_000);

test('the list has every letter once, newest first, by pages', async () => {
  expect(all.map(({ id }) => id).sort()).toEqual([
    ...Array.from({ length: 7 }, (_, at) => `task.created/3/${at}`), ...Array.from({ length: 3 }, (_, at) => `task.created/4/${at}`), 'task.cancel/1/0', 'task.cancel/1/1',
  ].sort());
  expect(all.map(({ at }) => at)).toEqual(all.map(({ at }) => at).sort().reverse());
  const paged: string[] = [];
  for (let cursor: unknown = ''; typeof cursor === 'string'; ) {
    const { json } = await stage.admin('GET', `/admin/dead-letters?limit=5&cursor=${cursor}`);
    paged.push(...(json.items as ShownLetter[]).map(({ id }) => id));
    cursor = json.nextCursor;
  }
  expect(paged).toEqual(all.map(({ id }) => id));
});

test('it says of each letter what its headers say', async () => {
  for (const letter of await rawRecordsOn(stage.ingress.config, 'task.created.dlq')) {
    const said = Object.fromEntries(Object.entries(letter.headers).map(([name, value]) => [name, String(value)]));
    expect(all.find(({ id }) => id === `${said.dlq_topic}/${said.dlq_partition}/${said.dlq_offset}`)).toMatchObject({
      topic: said.dlq_topic, partition: Number(said.dlq_partition), offset: said.dlq_offset, group: said.dlq_group, errorCode: said.dlq_error_code,
      reason: said.dlq_reason, at: said.dlq_at, state: 'open', redrive: null, redrivenFrom: null,
      deadLetter: { topic: 'task.created.dlq', partition: letter.partition, offset: letter.offset },
    });
  }
});

test.each([
  ['code=FZ_SCHEMA_INVALID', 7], ['code=FZ_RECORD_UNDECODABLE', 3], ['code=FZ_RECORD_EMPTY&topic=task.cancel', 2], ['topic=task.created', 10],
  ['group=task-cancel-group', 2], ['group=task-assignment-group&code=FZ_RECORD_EMPTY', 0], ['state=open', 12], ['state=redriven', 0], ['topic=', 12],
])('chosen by %s there are %d', async (query, count) => {
  expect(await stage.letters(query)).toHaveLength(count);
});

test('chosen by time', async () => {
  const middle = all[5]!.at;
  const [younger, older] = [await stage.letters(`since=${encodeURIComponent(middle)}`), await stage.letters(`until=${encodeURIComponent(middle)}`)];
  expect([younger.length + older.length, younger.every(({ at }) => at >= middle), older.every(({ at }) => at < middle)]).toEqual([12, true, true]);
  expect(await stage.letters(`until=${encodeURIComponent(since)}`)).toEqual([]);
});

test.each(['limit=0', 'limit=101', 'limit=x', 'cursor=x', 'state=gone', 'since=yesterday', 'colour=red', 'code=A&code=B', `cursor=${Buffer.from('["x","y"]').toString('base64url')}`])('%s is refused', async (query) => {
  const { status, json } = await stage.admin('GET', `/admin/dead-letters?${query}`);
  expect([status, json.code]).toEqual([422, 'FZ_QUERY_INVALID']);
});

test('causes are counted', async () => {
  const { json } = await stage.admin('GET', '/admin/dead-letters/causes');
  expect((json.items as object[]).map((item) => ({ ...item, oldest: 0, newest: 0 }))).toEqual([
    { errorCode: 'FZ_SCHEMA_INVALID', topic: 'task.created', group: 'task-assignment-group', letters: 7, open: 7, oldest: 0, newest: 0 },
    { errorCode: 'FZ_RECORD_UNDECODABLE', topic: 'task.created', group: 'task-assignment-group', letters: 3, open: 3, oldest: 0, newest: 0 },
    { errorCode: 'FZ_RECORD_EMPTY', topic: 'task.cancel', group: 'task-cancel-group', letters: 2, open: 2, oldest: 0, newest: 0 },
  ]);
});

test('one letter shows its bytes, its text, what it decodes to, and what would become of it', async () => {
  const value = created(randomUUID(), { userId: undefined });
  const bytes = Buffer.from([0x22, 0xff]);
  await stage.ingress.write('task.created', [
    { key: 'olá', value, headers: { text: 'x', bytes } }, { key: bytes, value: bytes }, { key: null, value: null, headers: { many: ['1', '2'] } },
    { key: 'n', value: '{}', headers: { 'a\u0000b': 'c\u0000d' } },
  ], 9);
  await stage.ingress.caughtUp();
  await stage.listed(all.length + 4);

  const text = await one('task.created/9/0');
  expect(text).toMatchObject({
    key: { text: 'olá', base64: Buffer.from('olá').toString('base64') }, value: { text: value.toString(), base64: value.toString('base64'), bytes: value.length, truncated: false },
    headers: [{ name: 'text', text: 'x', base64: 'eA==' }, { name: 'bytes', text: null, base64: bytes.toString('base64') }],
    decoded: { value: JSON.parse(value.toString()) as object }, next: expect.any(String) as string,
    wouldBecome: { fate: 'dead_lettered', errorCode: 'FZ_SCHEMA_INVALID' }, sha256: createHash('sha256').update(value).digest('hex'),
  });
  expect(await one('task.created/9/1')).toMatchObject({ key: { text: null }, value: { text: null, base64: bytes.toString('base64') }, decoded: { errorCode: 'FZ_RECORD_UNDECODABLE' } });
  expect(await one('task.created/9/2')).toMatchObject({ key: null, value: null, headers: [{ name: 'many', text: '1' }, { name: 'many', text: '2' }], decoded: { errorCode: 'FZ_RECORD_EMPTY' } });
  expect(await one('task.created/9/3')).toMatchObject({ headers: [{ name: 'a\u0000b', text: 'c\u0000d' }] });
  // The id as it stands in a URL, encoded once more by a careful client.
  expect(await one(encodeURIComponent('task.created/9/3'))).toMatchObject({ id: 'task.created/9/3' });
  all = await stage.letters();
});

test('what somebody else wrote to a dead-letter topic is listed too, under the place where it lies', async () => {
  await stage.ingress.write('task.created.dlq', [
    { key: 'a', value: 'who knows' },
    { key: 'b', value: 'elsewhere', headers: { dlq_topic: 'orders.paid', dlq_partition: '0', dlq_offset: '0', dlq_error_code: 'x\u0000y', dlq_at: 'never', dlq_reason: 'r\u0000' } },
  ]);
  const listed = await stage.listed(all.length + 2);
  const foreign = listed.filter(({ id }) => id.startsWith('task.created.dlq/'));
  expect(foreign.map(({ topic, errorCode, group }) => [topic, errorCode, group]).sort()).toEqual([['task.created', 'UNKNOWN', null], ['task.created', 'x\ufffdy', null]]);
  all = await stage.letters();
});

describe('many at once', () => {
  const records = () => rawRecordsOn(stage.ingress.config, 'task.created');
  const redriven = async () => (await records()).filter(({ headers }) => headers.redriven_from !== undefined);

  test('a dry run says what each would become, and does nothing', async () => {
    const before = (await records()).length;
    const { status, json } = await redriveAll({ where: { code: 'FZ_RECORD_UNDECODABLE', topic: 'task.created' }, dryRun: true });
    expect(status).toBe(200);
    expect((json.foreseen as { wouldBecome: object }[]).map(({ wouldBecome }) => wouldBecome)).toEqual(Array(4).fill(expect.objectContaining({ fate: 'dead_lettered', errorCode: 'FZ_RECORD_UNDECODABLE' })));
    expect([(await records()).length, json.redriven]).toEqual([before, []]);
  });

  test('those of one cause go back in the order in which they died, no faster than the rate', async () => {
    const until = new Date().toISOString();
    const startedAt = Date.now();
    const { status, json } = await redriveAll({ where: { code: 'FZ_SCHEMA_INVALID', topic: 'task.created', until }, ratePerSecond: 10, why: 'the schema was widened' });
    const expected = [...Array.from({ length: 7 }, (_, at) => `task.created/3/${at}`), 'task.created/9/0', 'task.created/9/3'];
    expect([status, json.redriven, json.refused, json.stoppedBy, json.nextCursor]).toEqual([200, expected, [], null, null]);
    // The ninth is due 0.8 s after the first.
    expect(Date.now() - startedAt).toBeGreaterThanOrEqual(800);
    const back = (await redriven()).sort((one, other) => Number(one.partition) - Number(other.partition) || Number(one.offset) - Number(other.offset));
    expect(back.map(({ headers }) => String(headers.redriven_from))).toEqual(expected);
  });

  test('what cannot be redriven is named and passed over; again is refused one by one', async () => {
    const { status, json } = await redriveAll({ ids: ['task.created/3/0', 'task.created/0/777', 'task.created/4/0', 'task.created/4/0'], ratePerSecond: 100 });
    expect([status, json.redriven]).toEqual([200, ['task.created/4/0']]);
    expect((json.refused as { id: string; errorCode: string }[]).map(({ id, errorCode }) => [id, errorCode])).toEqual([['task.created/3/0', 'FZ_ALREADY_REDRIVEN'], ['task.created/0/777', 'FZ_NOT_FOUND']]);
  });

  test('a call that would take too long ends, and says where to go on', async () => {
    await write('task.created', Array.from({ length: 4 }, (_, at) => Buffer.from(`[${at}]`)), 11);
    await stage.ingress.caughtUp();
    await until(async () => (await stage.letters()).filter(({ id }) => id.startsWith('task.created/11/')).length === 4, 'they are listed');
    const where = { since: (await stage.letters()).find(({ id }) => id === 'task.created/11/0')!.at, topic: 'task.created', state: 'open' };
    const first = await redriveAll({ where, limit: 2, ratePerSecond: 1_000 });
    expect(first.json.redriven).toEqual(['task.created/11/0', 'task.created/11/1']);
    const second = await redriveAll({ where, cursor: first.json.nextCursor, limit: 100, ratePerSecond: 0.1 });
    // At one in ten seconds the second is due when the call has to be over.
    expect([second.json.redriven, typeof second.json.nextCursor]).toEqual([['task.created/11/2'], 'string']);
    const third = await redriveAll({ where, cursor: second.json.nextCursor, limit: 1 });
    expect(third.json.redriven).toEqual(['task.created/11/3']);
  });

  test.each([[{}], [{ ids: [] }], [{ ids: ['x'], where: {} }], [{ where: { colour: 'red' } }], [{ where: {}, ratePerSecond: 0 }], [{ where: {}, limit: 101 }]])('%j is refused', async (body) => {
    const { status, json } = await redriveAll(body);
    expect([status, json.code]).toEqual([422, 'FZ_SCHEMA_INVALID']);
  });
});

test('when the tables are lost, all of it comes back from the topics, and what was redriven stays so', async () => {
  const shown = (letters: readonly ShownLetter[]) => letters.map(({ redrive, ...letter }) => ({ ...letter, redrive })).sort((one, other) => (one.id < other.id ? -1 : 1));
  await stage.ingress.caughtUp();
  const topics = ['task.created', 'task.cancel'];
  const inTopics = (await Promise.all(topics.map((topic) => rawRecordsOn(stage.ingress.config, `${topic}.dlq`)))).flat().length;
  const before = shown(await stage.listed(inTopics));
  expect(before.filter(({ state }) => state === 'redriven').length).toBeGreaterThan(10);

  await stage.ingress.db.query('DROP TABLE dead_letters, dead_letter_redrives, dead_letter_index');
  await migrate(stage.ingress.db);
  await stage.restartIndex();
  await until(async () => JSON.stringify(shown(await stage.letters())) === JSON.stringify(before), 'the index is as it was', 30_000, 200);
  expect((await stage.redrive('task.created/3/0')).status).toBe(409);
}, 60_000);

test('none of it without the token', async () => {
  for (const [method, path] of [['GET', ''], ['GET', '/causes'], ['GET', '/task.created%2F3%2F0'], ['POST', '/task.created%2F3%2F0/redrive'], ['POST', '/redrive'], ['POST', '/reindex']] as const) {
    for (const headers of [{}, { authorization: 'Bearer wrong' }]) {
      expect((await stage.api.call(method, `/admin/dead-letters${path}`, method === 'POST' ? {} : undefined, headers)).status).toBe(401);
    }
  }
});

test('a cancel that would come too early or too late is foreseen', async () => {
  const unknown = randomUUID();
  await write('task.cancel', [Buffer.from('?')], 2);
  await stage.ingress.caughtUp();
  await until(async () => (await stage.letters()).some(({ id }) => id === 'task.cancel/2/0'), 'it is listed');
  const tried = await stage.redrive('task.cancel/2/0', { valueBase64: cancel(unknown).toString('base64'), dryRun: true });
  expect(tried.json.wouldBecome).toEqual({ fate: 'signalled', domain: 'content', noun: 'task', aggregateId: unknown, type: 'cancel' });
});
