import { randomUUID } from 'node:crypto';
import type { OutgoingRecord } from '../src/kafka/port';
import { openApi, type TestApi } from './setup/api';
import { fakeProducer } from './setup/fake-producer';
import { PARTS_TIMEOUT_MS } from './setup/stack';

/** The broker here is a stand-in: what is tested is what the API does while it fails. */
const kafka = fakeProducer();
const up = async () => undefined;
let api: TestApi;
beforeAll(async () => (api = await openApi({ producer: kafka, checks: { kafka: up, temporal: up, postgres: up } })), PARTS_TIMEOUT_MS);
afterAll(() => api.close());
beforeEach(() => {
  kafka.mood = 'takes';
  kafka.given.length = 0;
});

const body = (more: object = {}) => ({
  templateId: '00000000-0000-4000-8000-000000000001', modelType: 'local', priority: 'normal', userId: 'u-1', ...more,
});
const create = (more: object, headers: Record<string, string> = {}) => api.call('POST', '/commands/create-task', body(more), headers);
const bytes = ({ value, headers, key, topic }: OutgoingRecord) => ({ topic, key, headers, value: String(value) });

describe('while Kafka is away, a command is not accepted', () => {
  test.each(['away', 'refuses'] as const)('%s: 503 with Retry-After, and no reader sees the task', async (mood) => {
    kafka.mood = mood;
    const taskId = randomUUID();
    const { status, json, headers } = await create({ taskId });
    expect([status, json.code]).toEqual([503, 'FZ_KAFKA_AWAY']);
    expect(Number(headers.get('retry-after'))).toBeGreaterThan(0);
    expect((await api.call('GET', `/tasks/${taskId}`)).status).toBe(404);
  });

  test('a cancel neither', async () => {
    kafka.mood = 'refuses';
    const { status, json } = await api.call('POST', '/commands/cancel-task', { taskId: randomUUID() });
    expect([status, json.code]).toEqual([503, 'FZ_KAFKA_AWAY']);
  });

  test('and reads and templates go on', async () => {
    kafka.mood = 'away';
    expect((await api.call('GET', '/tasks')).status).toBe(200);
    expect((await api.call('POST', '/templates', { name: 'n', prompt: 'p', rules: [] })).status).toBe(201);
  });
});

describe('what was a row before it was a record', () => {
  test('killed between its row and Kafka’s acknowledgement: the retry sends the same bytes, and then no more', async () => {
    const taskId = randomUUID();
    kafka.mood = 'hangs';
    const started = Date.now();
    const lost = await create({ taskId }, { 'x-correlation-id': 'the-first' });
    expect([lost.status, lost.json.code]).toEqual([503, 'FZ_KAFKA_AWAY']);
    expect(Date.now() - started).toBeLessThan(6_000);
    expect((await api.call('GET', `/tasks/${taskId}`)).status).toBe(404);

    kafka.mood = 'takes';
    const retried = await create({ taskId }, { 'x-correlation-id': 'the-second' });
    expect([retried.status, retried.json.correlationId]).toEqual([202, 'the-first']);
    expect(kafka.given).toHaveLength(2);
    expect(bytes(kafka.given[1]!)).toEqual(bytes(kafka.given[0]!));

    expect((await create({ taskId })).text).toBe(retried.text);
    expect(kafka.given).toHaveLength(2);
    expect((await api.call('GET', `/tasks/${taskId}`)).status).toBe(200);
  });

  test('a process that died holding the row is waited for no longer than its hold', async () => {
    const taskId = randomUUID();
    kafka.mood = 'refuses';
    await create({ taskId }, { 'x-correlation-id': 'the-first' });
    // What a kill -9 leaves: the row, held, and nobody to let it go.
    await api.db.query("UPDATE submissions SET accepted_at = clock_timestamp() - interval '5 s' WHERE aggregate_id = $1", [taskId]);
    kafka.mood = 'takes';
    const { status, json } = await create({ taskId });
    expect([status, json.correlationId]).toEqual([202, 'the-first']);
    expect(kafka.given).toHaveLength(1);
  });

  test('with a key and no task id: the retry makes the same task', async () => {
    kafka.mood = 'hangs';
    const key = { 'idempotency-key': randomUUID() };
    expect((await create({}, key)).status).toBe(503);
    kafka.mood = 'takes';
    const { status, json } = await create({}, key);
    expect(status).toBe(202);
    expect(kafka.given.map(({ key: taskId }) => taskId)).toEqual([json.taskId, json.taskId]);
    expect(bytes(kafka.given[1]!)).toEqual(bytes(kafka.given[0]!));
  });

  test('unsent, it gives way to another body', async () => {
    const taskId = randomUUID();
    kafka.mood = 'refuses';
    await create({ taskId, userId: 'first' });
    kafka.mood = 'takes';
    const again = Date.now();
    const { status } = await create({ taskId, userId: 'second' });
    expect(status).toBe(202);
    // Well below the hold on the row, which the failed request has let go.
    expect(Date.now() - again).toBeLessThan(3_000);
    expect(JSON.parse(String(kafka.given[0]?.value))).toMatchObject({ taskId, userId: 'second' });
    expect((await create({ taskId, userId: 'first' })).status).toBe(409);
  });
});
