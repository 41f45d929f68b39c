import { randomUUID } from 'node:crypto';
import { forgetOldKeys, once } from '../src/api/idempotency';
import { jsonReply, type Reply } from '../src/api/reply';
import { openApi, type TestApi } from './setup/api';
import { PARTS_TIMEOUT_MS } from './setup/stack';
import { recordsOn } from './setup/topic';
import { until } from './setup/until';

const body = (more: object = {}) => ({
  templateId: '00000000-0000-4000-8000-000000000001', modelType: 'local', priority: 'normal', userId: 'u-1', ...more,
});

let api: TestApi;
beforeAll(async () => (api = await openApi()), PARTS_TIMEOUT_MS);
afterAll(() => api.close());

const create = (key: string, more: object = {}, headers: Record<string, string> = {}) =>
  api.call('POST', '/commands/create-task', body(more), { 'idempotency-key': key, ...headers });
const records = async (taskId: unknown) => (await recordsOn(api.config, 'task.created')).filter(({ key }) => key === taskId);
const count = async (table: string) => Number((await api.db.query<{ n: string }>(`SELECT count(*) AS n FROM ${table}`)).rows[0]?.n);

describe('an Idempotency-Key used again', () => {
  test('with the same body: the same bytes, headers included, and one effect', async () => {
    const key = randomUUID();
    const first = await create(key, { variables: { a: 1, b: 2 } });
    const again = await create(key, { variables: { b: 2, a: 1 } });
    expect(first.status).toBe(202);
    expect([again.status, again.text]).toEqual([first.status, first.text]);
    for (const name of ['content-type', 'x-correlation-id']) expect(again.headers.get(name)).toBe(first.headers.get(name));
    expect(await records(first.json.taskId)).toHaveLength(1);
  });

  test('with another body: 422', async () => {
    const key = randomUUID();
    await create(key);
    const { status, json } = await create(key, { priority: 'low' });
    expect([status, json.code]).toEqual([422, 'FZ_IDEMPOTENCY_MISMATCH']);
  });

  test('by another caller or on another path: another key', async () => {
    const key = randomUUID();
    const mine = await create(key);
    const theirs = await create(key, {}, { 'x-user-id': 'somebody' });
    const elsewhere = await api.call('POST', '/templates', { name: 'n', prompt: 'p', rules: [] }, { 'idempotency-key': key });
    expect([theirs.status, elsewhere.status]).toEqual([202, 201]);
    expect(theirs.json.taskId).not.toBe(mine.json.taskId);
  });

  test('thirty times at once: one answer, one record', async () => {
    const key = randomUUID();
    const answers = await Promise.all(Array.from({ length: 30 }, () => create(key)));
    expect(new Set(answers.map(({ status, text }) => `${status} ${text}`)).size).toBe(1);
    expect(answers[0]?.status).toBe(202);
    expect(await records(answers[0]?.json.taskId)).toHaveLength(1);
  });

  test('thirty templates at once: one row', async () => {
    const before = await count('templates');
    const key = { 'idempotency-key': randomUUID() };
    const post = () => api.call('POST', '/templates', { name: 'n', prompt: 'p', rules: [] }, key);
    const answers = await Promise.all(Array.from({ length: 30 }, post));
    expect(new Set(answers.map(({ status, text }) => `${status} ${text}`)).size).toBe(1);
    expect(await count('templates')).toBe(before + 1);
  });

  test('after a crash between a template and its answer: the same template, once', async () => {
    const before = await count('templates');
    const key = randomUUID();
    const post = () => api.call('POST', '/templates', { name: 'n', prompt: 'p', rules: [] }, { 'idempotency-key': key });
    const lost = await post();
    // What a kill -9 leaves: the row, and a claim without an answer whose lease runs out.
    await api.db.query('UPDATE idempotency_keys SET status = NULL, headers = NULL, body = NULL, claimed_until = now() WHERE key = $1', [key]);
    const again = await post();
    expect([again.status, again.text]).toEqual([201, lost.text]);
    expect(await count('templates')).toBe(before + 1);
  });

  test('after a refusal that came after validation: the same refusal', async () => {
    const key = randomUUID();
    const first = await create(key, { templateId: '11111111-1111-4111-8111-111111111111' });
    expect([first.status, first.json.code]).toEqual([422, 'FZ_REFERENCE_UNKNOWN']);
    expect((await create(key, { templateId: '11111111-1111-4111-8111-111111111111' })).text).toBe(first.text);
  });

  test('after a body that did not fit its schema: nothing was remembered', async () => {
    const key = randomUUID();
    expect((await create(key, { priority: 'urgent' })).status).toBe(422);
    expect((await create(key)).status).toBe(202);
  });

  test.each([['too long', 'x'.repeat(256)], ['with a space', 'a b'], ['empty', '']])('%s: 400', async (_what, key) => {
    const { status, json } = await create(key);
    expect([status, json.code]).toEqual([400, 'FZ_HEADER_INVALID']);
  });
});

describe('the claim on a key', () => {
  const use = () => ({ scope: 'POST /test anyone', key: randomUUID(), fingerprint: 'one' });

  test('of a live holder is waited for, and in vain it is a 409 that says when to come again', async () => {
    const mine = use();
    const hold = barrier<Reply>();
    const first = once(api.db, mine, randomUUID(), () => hold.reached);
    await until(async () => (await count('idempotency_keys')) > 0, 'the key is claimed');
    await expect(once(api.db, mine, randomUUID(), neverRun, 100)).rejects.toMatchObject({
      code: 'FZ_IDEMPOTENCY_BUSY', details: { retryAfterS: expect.any(Number) as number },
    });
    const waiting = once(api.db, mine, randomUUID(), neverRun);
    hold.pass(jsonReply(202, { n: 1 }));
    expect((await waiting).body).toBe((await first).body);
  });

  test('of a dead holder is taken over when its lease is over, with the ids that it had made', async () => {
    const mine = use();
    const madeFirst = randomUUID();
    void once(api.db, mine, madeFirst, () => new Promise<Reply>(() => undefined));
    await until(async () => (await api.db.query('SELECT 1 FROM idempotency_keys WHERE key = $1', [mine.key])).rowCount === 1, 'the key is claimed');
    await api.db.query("UPDATE idempotency_keys SET claimed_until = now() - interval '1 ms' WHERE key = $1", [mine.key]);
    const reply = await once(api.db, mine, randomUUID(), async (freshId) => jsonReply(202, { freshId }));
    expect(JSON.parse(reply.body)).toEqual({ freshId: madeFirst });
  });

  test('a holder that was taken over answers with what the other one said', async () => {
    const mine = use();
    const hold = barrier<Reply>();
    const slow = once(api.db, mine, randomUUID(), () => hold.reached);
    await until(async () => (await api.db.query('SELECT 1 FROM idempotency_keys WHERE key = $1', [mine.key])).rowCount === 1, 'the key is claimed');
    await api.db.query("UPDATE idempotency_keys SET claimed_until = now() - interval '1 ms' WHERE key = $1", [mine.key]);
    await once(api.db, mine, randomUUID(), async () => jsonReply(202, { by: 'the second' }));
    hold.pass(jsonReply(202, { by: 'the first' }));
    expect(JSON.parse((await slow).body)).toEqual({ by: 'the second' });
  });

  test('a 5xx is given back at once and never remembered; its ids are', async () => {
    const mine = use();
    const ids: string[] = [];
    const failing = async (freshId: string) => (ids.push(freshId), jsonReply(503, {}));
    expect((await once(api.db, mine, randomUUID(), failing)).status).toBe(503);
    await expect(once(api.db, mine, randomUUID(), async (freshId) => (ids.push(freshId), Promise.reject(new Error('crash'))), NO_WAIT)).rejects.toThrow('crash');
    // The first try may have had an effect all the same, so that the key still belongs to its body.
    await expect(once(api.db, { ...mine, fingerprint: 'two' }, randomUUID(), neverRun)).rejects.toMatchObject({ code: 'FZ_IDEMPOTENCY_MISMATCH' });
    const last = await once(api.db, mine, randomUUID(), async (freshId) => (ids.push(freshId), jsonReply(202, {})), NO_WAIT);
    expect(last.status).toBe(202);
    expect(new Set(ids).size).toBe(1);
  });

  test('an answer outlives the lease of its claim', async () => {
    const mine = use();
    const first = await once(api.db, mine, randomUUID(), async () => jsonReply(202, { n: 1 }));
    await api.db.query("UPDATE idempotency_keys SET claimed_until = now() - interval '1 hour' WHERE key = $1", [mine.key]);
    expect(await once(api.db, mine, randomUUID(), neverRun)).toEqual(first);
  });

  test('is forgotten after 24 hours, and then the key is new', async () => {
    const mine = use();
    await once(api.db, mine, randomUUID(), async () => jsonReply(202, { day: 1 }));
    await api.db.query("UPDATE idempotency_keys SET claimed_at = now() - interval '24 hours 1 s' WHERE key = $1", [mine.key]);
    const later = await once(api.db, { ...mine, fingerprint: 'two' }, randomUUID(), async () => jsonReply(202, { day: 2 }));
    expect(JSON.parse(later.body)).toEqual({ day: 2 });
    await api.db.query("UPDATE idempotency_keys SET claimed_at = now() - interval '24 hours 1 s' WHERE key = $1", [mine.key]);
    await forgetOldKeys(api.db);
    expect((await api.db.query('SELECT 1 FROM idempotency_keys WHERE key = $1', [mine.key])).rowCount).toBe(0);
  });
});

const NO_WAIT = 0;

async function neverRun(): Promise<Reply> {
  throw new Error('ran twice');
}

function barrier<Value>(): { reached: Promise<Value>; pass: (value: Value) => void } {
  let pass: (value: Value) => void = () => undefined;
  const reached = new Promise<Value>((resolve) => (pass = resolve));
  return { reached, pass };
}
