import { openApi, type TestApi } from './setup/api';
import { startApi } from './setup/running';
import { PARTS_TIMEOUT_MS, realParts } from './setup/stack';
import { tcpProxy } from './setup/tcp-proxy';
import { recordsOn } from './setup/topic';
import { until } from './setup/until';

const TOKEN = 'the-admin-token';
const asAdmin = { authorization: `Bearer ${TOKEN}` };

describe('with Kafka', () => {
  let api: TestApi;
  beforeAll(async () => (api = await openApi({ env: { FAZENDA_ADMIN_TOKEN: TOKEN, OBSERVABILITY__KAFKA_PUBLISH_TOPICS: 'test-events, items-events' } })), PARTS_TIMEOUT_MS);
  afterAll(() => api.close());
  const publish = (body: unknown, headers: Record<string, string> = asAdmin) => api.call('POST', '/kafka/publish', body, headers);

  test('status and health say who is connected, and to whom', async () => {
    const { KAFKA_CLIENT_ID, KAFKA_BROKERS } = api.config;
    expect((await api.call('GET', '/kafka/status')).json).toEqual({ enabled: true, connected: true, client_id: KAFKA_CLIENT_ID, bootstrap_servers: KAFKA_BROKERS });
    expect((await api.call('GET', '/health')).json).toMatchObject({ service: 'fazenda', kafka: 'connected' });
  });

  test('a message without topic, key and headers is on test-events, where the answer says', async () => {
    const { status, json } = await publish({ payload: { n: 1 } });
    expect([status, json]).toEqual([200, {
      topic: 'test-events', partition: expect.any(Number) as number, offset: expect.any(Number) as number, timestamp: expect.stringMatching(/Z$/) as string,
    }]);
    expect(await recordsOn(api.config, 'test-events')).toEqual([{ key: 'null', value: '{"n":1}', headers: {} }]);
  });

  test.each([['no token', {}], ['a wrong one', { authorization: 'Bearer guess' }]])('%s: 401, and nothing is published', async (_what, headers) => {
    expect((await publish({ topic: 'items-events', payload: {} }, headers)).status).toBe(401);
    expect(await recordsOn(api.config, 'items-events')).toEqual([]);
  });

  test.each([
    ['a topic that is not in the list', { topic: 'orders.created', payload: {} }, 'topic'], ['no payload', {}, 'payload'], ['a list', { payload: [] }, 'payload'],
    ['a header that is no text', { payload: {}, headers: { a: 1 } }, 'headers'], ['a key that is no text', { payload: {}, key: 7 }, 'key'],
  ])('%s: 422 names it, and nothing is published', async (_what, body, path) => {
    const { status, json } = await publish(body);
    expect([status, json.code]).toEqual([422, 'FZ_SCHEMA_INVALID']);
    expect((json.errors as { path: string }[]).map((error) => error.path)).toEqual([path]);
    expect(await recordsOn(api.config, 'orders.created')).toEqual([]);
  });

  test('an Idempotency-Key puts one record there, however often it is used', async () => {
    const keyed = { ...asAdmin, 'idempotency-key': 'once' };
    const first = await publish({ key: 'keyed', payload: { n: 2 } }, keyed);
    expect([first.status, (await publish({ key: 'keyed', payload: { n: 2 } }, keyed)).text]).toEqual([200, first.text]);
    expect((await publish({ key: 'keyed', payload: { n: 3 } }, keyed)).status).toBe(422);
    expect((await recordsOn(api.config, 'test-events')).filter(({ key }) => key === 'keyed')).toHaveLength(1);
  });

  test('a topic that the list has is published to', async () => {
    expect((await publish({ topic: 'items-events', key: 'k', payload: { id: 'k' }, headers: { a: 'b' } })).json).toMatchObject({ topic: 'items-events' });
    expect(await recordsOn(api.config, 'items-events')).toEqual([{ key: 'k', value: '{"id":"k"}', headers: { a: 'b' } }]);
  });
});

test('disabled, the endpoints say so, and all else goes on', async () => {
  const api = await openApi({ env: { FAZENDA_ADMIN_TOKEN: TOKEN, OBSERVABILITY__KAFKA_ENABLED: 'false' } });
  try {
    expect((await api.call('GET', '/kafka/status')).json).toEqual({ enabled: false, connected: false, client_id: null, bootstrap_servers: null });
    const { status, json } = await api.call('POST', '/kafka/publish', { payload: {} }, asAdmin);
    expect([status, json.detail]).toEqual([503, 'Kafka not configured. Set OBSERVABILITY__KAFKA_ENABLED=true']);
    expect((await api.call('POST', '/kafka/publish', { payload: {} })).status).toBe(401);
    expect((await api.call('GET', '/health')).json).toMatchObject({ service: 'fazenda', kafka: 'disconnected' });

    expect((await api.call('GET', '/readyz')).status).toBe(200);
    const task = { templateId: '00000000-0000-4000-8000-000000000001', modelType: 'local', priority: 'normal', userId: 'u-1' };
    expect((await api.call('POST', '/commands/create-task', task)).status).toBe(202);
    expect(await recordsOn(api.config, 'task.created')).toHaveLength(1);
  } finally {
    await api.close();
  }
}, PARTS_TIMEOUT_MS);

test('started while Kafka is away, it connects by itself when Kafka is back', async () => {
  const parts = await realParts();
  const wire = await tcpProxy(parts.KAFKA_BROKERS ?? '');
  await wire.cut();
  const api = await startApi({ ...parts, FAZENDA_ADMIN_TOKEN: TOKEN, KAFKA_BROKERS: `127.0.0.1:${wire.port}` });
  const get = async (path: string) => (await fetch(`${api.url}${path}`)).json() as Promise<Record<string, unknown>>;
  try {
    expect(await get('/health')).toMatchObject({ kafka: 'disconnected' });
    const headers = { 'content-type': 'application/json', ...asAdmin };
    const refused = await fetch(`${api.url}/kafka/publish`, { method: 'POST', headers, body: '{"payload":{}}' });
    expect([refused.status, (await refused.json() as Record<string, unknown>).code, refused.headers.has('retry-after')]).toEqual([503, 'FZ_KAFKA_AWAY', true]);
    await until(() => api.logged.some(({ msg }) => msg.startsWith('Kafka is away')), 'its absence is logged');
    await wire.mend();
    await until(async () => (await get('/kafka/status')).connected === true, 'it is connected');
    await until(async () => (await get('/health')).kafka === 'connected', 'health says so');
    expect(api.logged.filter(({ msg }) => msg.startsWith('Kafka is')).map(({ level, msg }) => [level, msg.slice(0, 13)])).toEqual([['warn', 'Kafka is away'], ['info', 'Kafka is back']]);
  } finally {
    await api.stop();
    await wire.close();
  }
}, PARTS_TIMEOUT_MS);
