import { randomUUID } from 'node:crypto';
import { commandId } from '../src/facts/identity';
import { openApi, type TestApi } from './setup/api';
import { PARTS_TIMEOUT_MS } from './setup/stack';
import { recordsOfKey } from './setup/topic';

let api: TestApi;
beforeAll(async () => (api = await openApi()), PARTS_TIMEOUT_MS);
afterAll(() => api.close());

const cancel = (body: object, headers: Record<string, string> = {}) => api.call('POST', '/commands/cancel-task', body, headers);

test('a cancel of a task that nobody knows yet is accepted, and is a command on Kafka: an id, no version', async () => {
  const taskId = randomUUID();
  const { status, json } = await cancel({ taskId, reason: 'changed my mind', userId: 'u-1' }, { 'x-correlation-id': 'c-1' });
  expect([status, json.taskId, json.correlationId]).toEqual([202, taskId, 'c-1']);

  const [record, ...more] = await recordsOfKey(api.config, 'task.cancel', taskId);
  expect(more).toEqual([]);
  expect(JSON.parse(record?.value ?? '')).toEqual({ taskId, reason: 'changed my mind', userId: 'u-1' });
  expect(record?.headers).toMatchObject({
    ce_id: commandId('content', taskId, 'CancelTask'), ce_type: 'CancelTask', ce_source: '/fazenda/content', ce_subject: taskId,
    correlation_id: 'c-1', causation_id: 'c-1', 'content-type': 'application/json',
  });
  expect(record?.headers).not.toHaveProperty('ce_sequence');
});

test('asked again, it is the same command by its id', async () => {
  const taskId = randomUUID();
  await cancel({ taskId });
  await cancel({ taskId });
  const seen = await recordsOfKey(api.config, 'task.cancel', taskId);
  expect(new Set(seen.map(({ headers }) => headers.ce_id)).size).toBe(1);
});

test('with an Idempotency-Key it is sent once', async () => {
  const taskId = randomUUID();
  const key = { 'idempotency-key': randomUUID() };
  const first = await cancel({ taskId }, key);
  expect((await cancel({ taskId }, key)).text).toBe(first.text);
  expect(await recordsOfKey(api.config, 'task.cancel', taskId)).toHaveLength(1);
});

test.each([
  ['no task', {}, 'taskId'], ['an id that is no UUID', { taskId: 'x' }, 'taskId'],
  ['a reason without end', { taskId: randomUUID(), reason: 'x'.repeat(1_001) }, 'reason'],
])('%s: 422 naming the field', async (_what, body, path) => {
  const { status, json } = await cancel(body);
  expect([status, json.code, json.errors]).toEqual([422, 'FZ_SCHEMA_INVALID', [expect.objectContaining({ path })]]);
});
