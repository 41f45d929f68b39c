import { randomUUID } from 'node:crypto';
import { factId } from '../src/facts/identity';
import { tellFacts } from '../src/facts/tell';
import { domainNamed } from '../workflows/domains';
import { fold } from '../workflows/kernel/lifecycle';
import { openApi, type TestApi } from './setup/api';
import { PARTS_TIMEOUT_MS } from './setup/stack';
import { recordsOfKey } from './setup/topic';

const TEMPLATE = '00000000-0000-4000-8000-000000000001';
const body = (more: object = {}) => ({ templateId: TEMPLATE, modelType: 'local', priority: 'high', userId: 'u-1', ...more });

let api: TestApi;
beforeAll(async () => (api = await openApi()), PARTS_TIMEOUT_MS);
afterAll(() => api.close());

const create = (more: object = {}, headers: Record<string, string> = {}) => api.call('POST', '/commands/create-task', body(more), headers);

describe('a task that is accepted is on Kafka', () => {
  test('202 names the task, and its record carries the contract’s fields and headers', async () => {
    const taskId = randomUUID();
    const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
    const sent = await create({ taskId, variables: { product: 'café', n: [1, { deep: null }] } }, { 'x-correlation-id': 'my-trace', traceparent });
    expect(sent.status).toBe(202);
    expect(sent.headers.get('x-correlation-id')).toBe('my-trace');
    const links = { self: `/tasks/${taskId}`, live: `/ws/tasks/${taskId}/status` };
    expect(sent.json).toEqual({ taskId, correlationId: 'my-trace', status: 'pending', links });

    const [record, ...more] = await recordsOfKey(api.config, 'task.created', taskId);
    expect(more).toEqual([]);
    const message = JSON.parse(record?.value ?? '') as Record<string, unknown>;
    expect(Object.keys(message)).toEqual(['eventId', 'taskId', 'templateId', 'priority', 'modelType', 'timestamp', 'userId', 'variables']);
    const ceId = factId('content', taskId, 1);
    expect(message).toMatchObject({ eventId: ceId, taskId, ...body(), variables: { product: 'café', n: [1, { deep: null }] } });
    expect(record?.headers).toEqual({
      ce_specversion: '1.0', ce_id: ceId, ce_type: 'TaskCreated', ce_source: '/fazenda/content', ce_subject: taskId,
      ce_time: new Date(message.timestamp as number).toISOString(), 'content-type': 'application/json', ce_sequence: '1',
      correlation_id: 'my-trace', causation_id: 'my-trace', traceparent,
    });
  });

  test('without ids of the caller’s, both ids are made', async () => {
    const { status, json, headers } = await create();
    expect(status).toBe(202);
    expect(json.taskId).toMatch(/^[0-9a-f-]{36}$/);
    expect(json.correlationId).toBe(headers.get('x-correlation-id'));
    const [record] = await recordsOfKey(api.config, 'task.created', String(json.taskId));
    expect(record?.headers.traceparent).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/);
  });

  test('GET answers at once, in the shape that the view will have', async () => {
    const { json: { taskId } } = await create();
    const accepted = await api.call('GET', `/tasks/${String(taskId).toUpperCase()}`);
    expect(accepted.status).toBe(200);
    expect(accepted.headers.get('etag')).toBe('"1"');
    expect(accepted.json).toMatchObject({ id: taskId, templateId: TEMPLATE, status: 'pending', priority: 'high', version: 1, completedAt: null });

    const [record] = await recordsOfKey(api.config, 'task.created', String(taskId));
    await tellFirst(JSON.parse(record?.value ?? '') as { taskId: string; timestamp: number });
    expect((await api.call('GET', `/tasks/${String(taskId)}`)).json).toEqual(accepted.json);
  });
});

describe('the same task posted again, without a key', () => {
  test('same body: the first answer and no second record, also when the fields change places', async () => {
    const taskId = randomUUID();
    const first = await create({ taskId, variables: { a: 1, b: 2 } });
    const again = await create({ variables: { b: 2, a: 1 }, taskId: taskId.toUpperCase() });
    expect([again.status, again.text]).toEqual([202, first.text]);
    expect(await recordsOfKey(api.config, 'task.created', taskId)).toHaveLength(1);
  });

  test('an hour later it is still the same', async () => {
    const taskId = randomUUID();
    const first = await create({ taskId });
    await api.db.query("UPDATE submissions SET accepted_at = accepted_at - interval '1 hour' WHERE aggregate_id = $1", [taskId]);
    expect((await create({ taskId })).text).toBe(first.text);
    expect((await create({ taskId, userId: 'somebody else' })).status).toBe(409);
    expect(await recordsOfKey(api.config, 'task.created', taskId)).toHaveLength(1);
  });

  test('twenty times at once: one answer, one record', async () => {
    const taskId = randomUUID();
    const answers = await Promise.all(Array.from({ length: 20 }, () => create({ taskId })));
    expect(new Set(answers.map(({ status, text }) => `${status} ${text}`)).size).toBe(1);
    expect(answers[0]?.status).toBe(202);
    expect(await recordsOfKey(api.config, 'task.created', taskId)).toHaveLength(1);
  });

  test('another body: 409, and nothing is sent', async () => {
    const taskId = randomUUID();
    await create({ taskId });
    const { status, json } = await create({ taskId, userId: 'somebody else' });
    expect([status, json.code]).toEqual([409, 'FZ_CONFLICT']);
    expect(await recordsOfKey(api.config, 'task.created', taskId)).toHaveLength(1);
  });

  test('two bodies at once: one wins, the other is a conflict', async () => {
    const taskId = randomUUID();
    const answers = await Promise.all(['a', 'b'].map((userId) => create({ taskId, userId })));
    expect(answers.map(({ status }) => status).sort()).toEqual([202, 409]);
    expect(await recordsOfKey(api.config, 'task.created', taskId)).toHaveLength(1);
  });
});

describe('a task that came by Kafka first', () => {
  const foreign = { eventId: 'theirs', templateId: TEMPLATE, modelType: 'local', priority: 'high', userId: 'u-1', timestamp: 1_700_000_000_123 };

  test('with the same data is the same task: 202, nothing sent', async () => {
    const taskId = randomUUID();
    await tellFirst({ ...foreign, taskId });
    const { status, json } = await create({ taskId });
    expect([status, json.taskId, json.correlationId]).toEqual([202, taskId, 'theirs-trace']);
    expect(await recordsOfKey(api.config, 'task.created', taskId)).toEqual([]);
  });

  test('with other data is a conflict', async () => {
    const taskId = randomUUID();
    await tellFirst({ ...foreign, taskId, priority: 'low' });
    expect((await create({ taskId })).status).toBe(409);
    expect(await recordsOfKey(api.config, 'task.created', taskId)).toEqual([]);
  });
});

describe('a task that could never run is refused', () => {
  test.each([
    ['an unknown template', { templateId: randomUUID() }, 'FZ_REFERENCE_UNKNOWN', 'templateId'],
    ['an unknown model', { modelType: 'nobody' }, 'FZ_REFERENCE_UNKNOWN', 'modelType'],
    ['a template id that is no UUID', { templateId: 'x' }, 'FZ_SCHEMA_INVALID', 'templateId'],
    ['a task id that is no UUID', { taskId: 'x' }, 'FZ_SCHEMA_INVALID', 'taskId'],
    ['a priority of its own', { priority: 'urgent' }, 'FZ_SCHEMA_INVALID', 'priority'],
    ['no user', { userId: '' }, 'FZ_SCHEMA_INVALID', 'userId'],
    ['variables that are no object', { variables: [1] }, 'FZ_SCHEMA_INVALID', 'variables'],
    ['a NUL in a variable', { variables: { a: 'x\u0000' } }, 'FZ_TEXT_UNSTORABLE', 'variables.a'],
    ['a lone surrogate in a name', { variables: { 'a\ud800': 1 } }, 'FZ_TEXT_UNSTORABLE', 'variables'],
  ])('%s: 422 naming the field', async (_what, wrong, code, path) => {
    const { status, json } = await create(wrong);
    expect([status, json.code]).toEqual([422, code]);
    expect(json.errors).toEqual([expect.objectContaining({ path })]);
  });
});

/** What ingress does with a record of `task.created`: fact 1 and the view row. */
async function tellFirst(message: { taskId: string; timestamp: number; priority?: string }): Promise<void> {
  const domain = domainNamed('content');
  const { timestamp, taskId } = message;
  const fact = { type: 'TaskCreated', version: 1, at: new Date(timestamp).toISOString(), data: message };
  await tellFacts(api.db, domain, [{ id: taskId, fact, after: fold(domain.lifecycle, [fact]), correlationId: 'theirs-trace', origin: 'task.created/0/0' }]);
}
