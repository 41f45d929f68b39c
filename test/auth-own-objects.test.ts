import { randomUUID } from 'node:crypto';
import { tellFacts } from '../src/facts/tell';
import { LocalFanOut } from '../src/live/fanout';
import { openLiveAccess } from '../src/live/access';
import { openGateway, type Gateway } from '../src/live/gateway';
import { postgresStore } from '../src/live/store';
import { PortBook } from '../src/runtime/ports';
import { domainNamed, domains } from '../workflows/domains';
import { openApi, type TestApi } from './setup/api';
import { fakeProducer, type FakeProducer } from './setup/fake-producer';
import { openProvider, type TestProvider } from './setup/identity-provider';
import { ioClient, plainClient } from './setup/live-clients';
import { PARTS_TIMEOUT_MS } from './setup/stack';
import { storyOf, tellingsOf } from './setup/story';
import { until } from './setup/until';

const up = async () => undefined;
const [ALICE, BOB] = [randomUUID(), randomUUID()];
const TEMPLATE = '00000000-0000-4000-8000-000000000001';
const STATIC: Readonly<Record<string, string>> = { viewer: 'viewer-0123456789abcdef', operator: 'operator-0123456789abcdef', admin: 'admin-0123456789abcdef', bob: 'bob-0123456789abcdef' };

const ports = new PortBook();
let provider: TestProvider;
let api: TestApi;
let producer: FakeProducer;
let gateway: Gateway;
let fanOut: LocalFanOut;
let alice: string;
beforeAll(async () => {
  provider = await openProvider();
  const port = await ports.claim(3001);
  const env = {
    ...provider.env, AUTH_ALWAYS: 'true', FAZENDA_ADMIN_TOKEN: STATIC.admin!, GATEWAY_URL: `http://127.0.0.1:${port}`,
    FAZENDA_TOKENS: `viewer:${STATIC.viewer},operator:${STATIC.operator},submitter/${BOB}:${STATIC.bob}`,
  };
  producer = fakeProducer();
  api = await openApi({ producer, checks: { kafka: up, temporal: up, postgres: up }, env });
  fanOut = new LocalFanOut();
  gateway = await openGateway({ store: postgresStore(api.db), fanOut, port, access: openLiveAccess(api.config, api.db), onTrouble: () => undefined, limits: { goodbyeMs: 300 } });
  alice = await provider.token(ALICE, { roles: ['submitter'] });
}, PARTS_TIMEOUT_MS);
afterAll(async () => {
  await gateway.close();
  await api.close();
  provider.close();
  ports.release();
});

const as = (token: string) => ({ authorization: `Bearer ${STATIC[token] ?? token}` });
const task = (userId?: string) => ({ templateId: TEMPLATE, modelType: 'local', priority: 'normal', ...(userId && { userId }) });
const order = (customerId?: string) => ({ items: [{ sku: 'S', quantity: 1 }], totalAmount: 10, ...(customerId && { customerId }) });
const BEGINNINGS = [['/commands/create-task', task, 'userId', '/tasks', 'taskId'], ['/orders', order, 'customerId', '/orders', 'orderId']] as const;

/** A task that went well, as ingress and workflow would tell it. */
async function told(userId: string): Promise<string> {
  const id = randomUUID();
  const facts = storyOf(id).map((fact) => (fact.type === 'TaskCreated' ? { ...fact, data: { ...fact.data, userId } } : fact));
  for (const telling of tellingsOf(id, facts)) await tellFacts(api.db, domainNamed('content'), [telling]);
  return id;
}

describe.each(BEGINNINGS)('%s', (path, bodyOf, field, list, idField) => {
  test('a submitter submits for itself: named, or by leaving its name out', async () => {
    for (const body of [bodyOf(ALICE), bodyOf()]) {
      const { status, json } = await api.call('POST', path, body, as(alice));
      expect(status).toBe(202);
      const { status: found, json: seen } = await api.call('GET', `${list}/${String(json[idField])}`, undefined, as(alice));
      expect([found, seen[field]]).toEqual([200, ALICE]);
    }
  });

  test('it may name nobody else, and then nothing is sent', async () => {
    const before = producer.given.length;
    const { status, json } = await api.call('POST', path, bodyOf(BOB), as(alice));
    expect([status, json.code, json.errors]).toEqual([403, 'FZ_FORBIDDEN', [{ path: field, message: `must be ${ALICE}` }]]);
    expect(producer.given.length).toBe(before);
    expect((await api.call('POST', path, bodyOf(BOB), as('operator'))).status).toBe(202);
  });

  test('it may not call itself somebody else by x-user-id', async () => {
    expect((await api.call('POST', path, bodyOf(ALICE), { ...as(alice), 'x-user-id': BOB })).status).toBe(403);
    expect((await api.call('POST', path, bodyOf(ALICE), { ...as(alice), 'x-user-id': ALICE })).status).toBe(202);
  });

  test("what is another's is as little there as what nobody has", async () => {
    const { json } = await api.call('POST', path, bodyOf(ALICE), as(alice));
    const id = String(json[idField]);
    const statuses = await Promise.all([alice, 'bob', 'viewer', 'operator', 'admin'].map(async (who) => (await api.call('GET', `${list}/${id}`, undefined, as(who))).status));
    expect(statuses).toEqual([200, 404, 200, 200, 200]);
    const [theirs, nobodys] = await Promise.all([id, randomUUID()].map(async (one) => {
      const { status, json: said } = await api.call('GET', `${list}/${one}`, undefined, { ...as('bob'), 'x-correlation-id': 'same', traceparent: `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01` });
      return [status, JSON.stringify(said).replaceAll(one, 'ID')];
    }));
    expect(theirs).toEqual(nobodys);
  });
});

test('a list holds what is the submitter’s own, page after page, and of everybody for those who see all', async () => {
  const mine = [await told(ALICE), await told(ALICE), await told(ALICE)];
  const theirs = await told(BOB);
  const all = async (who: string): Promise<string[]> => {
    const ids: string[] = [];
    for (let cursor: string | null = ''; cursor !== null;) {
      const { json } = await api.call('GET', `/tasks?limit=2${cursor && `&cursor=${cursor}`}`, undefined, as(who));
      ids.push(...(json.items as { id: string }[]).map(({ id }) => id));
      cursor = json.nextCursor as string | null;
    }
    return ids;
  };
  expect((await all(alice)).sort()).toEqual([...mine].sort());
  expect(await all('bob')).toEqual([theirs]);
  for (const who of ['viewer', 'operator', 'admin']) expect(await all(who)).toEqual(expect.arrayContaining([...mine, theirs]));
});

test('a submitter cancels its own, in its own name; not another’s, and nothing that is not there yet', async () => {
  const cancel = (taskId: string, who: string, more: object = {}) => api.call('POST', '/commands/cancel-task', { taskId, ...more }, as(who));
  const { json } = await api.call('POST', '/commands/create-task', task(ALICE), as(alice));
  const id = String(json.taskId);
  const before = producer.given.length;
  expect((await cancel(id, 'bob')).status).toBe(404);
  expect((await cancel(randomUUID(), 'bob')).status).toBe(404);
  expect((await cancel(id, alice, { userId: BOB })).status).toBe(403);
  expect(producer.given.length).toBe(before);
  expect((await cancel(id, alice)).status).toBe(202);
  expect(JSON.parse(String(producer.given.at(-1)?.value))).toEqual({ taskId: id, userId: ALICE });
  // Whoever sees all may cancel what is still to come, as the contract has it.
  expect((await cancel(randomUUID(), 'operator')).status).toBe(202);
});

test('an item is its maker’s: to another submitter it is as little there as one that nobody has', async () => {
  const made = await api.call('POST', '/v1/items', { name: 'Spade', sku: 'SP-1' }, as(alice));
  expect([made.status, made.json.created_by]).toEqual([201, ALICE]);
  const path = `/v1/items/${String(made.json.id)}`;
  const calls = [['GET'], ['PATCH', { name: 'x' }], ['DELETE']] as const;
  for (const [method, body] of calls) {
    // A version of what is not there is none that could have changed.
    const refusals = await Promise.all([path, `/v1/items/${randomUUID()}`].map((at) => api.call(method, at, body, { ...as('bob'), 'if-match': '"7"' })));
    expect(refusals.map(({ status, json }) => [status, json.code])).toEqual([[404, 'FZ_NOT_FOUND'], [404, 'FZ_NOT_FOUND']]);
  }
  const listed = async (who: string) => ((await api.call('GET', '/v1/items', undefined, as(who))).json.items as { id: string }[]).map(({ id }) => id).includes(String(made.json.id));
  expect(await Promise.all([alice, 'bob', 'viewer', 'operator'].map(listed))).toEqual([true, false, true, true]);
  expect((await api.call('POST', '/v1/items', { name: 'Hoe', sku: 'H-1' }, { ...as(alice), 'x-user-id': BOB })).status).toBe(403);
  expect((await api.call('PATCH', path, { name: 'Red spade' }, as(alice))).json.name).toBe('Red spade');
  expect((await api.call('PATCH', path, { name: 'Blue spade' }, as('operator'))).status).toBe(200);
  expect((await api.call('DELETE', path, undefined, as(alice))).status).toBe(204);
});

test('lists of what is one’s own are found by an index', async () => {
  const owned = [...domains.map(({ view }) => [view.table, view.owner]), ['items', 'created_by']];
  for (const [table, owner] of owned) {
    const { rows } = await api.db.query<{ indexdef: string }>('SELECT indexdef FROM pg_indexes WHERE tablename = $1', [table]);
    expect(rows.map(({ indexdef }) => indexdef)).toContainEqual(expect.stringContaining(`(${owner ?? ''}, created_at DESC)`));
  }
});

test('a client is seen by itself and by those who see all', async () => {
  const made = await api.call('POST', '/v1/clients', { name: 'Ana', email: 'ana@test.example', phone: '1', cpf: '12345678909' }, as('operator'));
  const id = String(made.json.id);
  const ana = await provider.token(id, { roles: 'submitter' });
  const seen = async (who: string) => [(await api.call('GET', `/v1/clients/${id}`, undefined, as(who))).status, ((await api.call('GET', '/v1/clients', undefined, as(who))).json.items as object[]).length];
  expect(await Promise.all([ana, alice, 'viewer'].map(seen))).toEqual([[200, 1], [404, 0], [200, 1]]);
});

describe('live', () => {
  const wsUrl = (id: string) => `${api.url.replace('http', 'ws')}/ws/tasks/${id}/status`;
  const WAYS = [
    ['by header', (id: string, token: string) => plainClient(wsUrl(id), { headers: as(token) })],
    ['by subprotocol, as browsers do', (id: string, token: string) => plainClient(wsUrl(id), { protocols: ['fazenda', `bearer.${STATIC[token] ?? token}`] })],
  ] as const;

  describe.each(WAYS)('a WebSocket %s', (_how, connect) => {
    test('follows its own and no other’s', async () => {
      const id = await told(ALICE);
      for (const who of [alice, 'viewer', 'operator', 'admin']) {
        const client = await connect(id, who);
        await client.count(5);
        expect(client.socket.protocol).not.toMatch(/bearer/);
        await client.close();
      }
      for (const [who, which] of [['bob', id], [alice, randomUUID()]] as const) {
        const client = await connect(which, who);
        expect(await client.whenClosed()).toMatchObject({ code: 1008, reason: expect.stringMatching(/^FZ_NOT_FOUND/) as string });
        expect(client.heard).toEqual([]);
      }
      // Those who see all may wait for what is not there yet.
      const waiting = await connect(randomUUID(), 'viewer');
      await waiting.close();
    });

    test('is refused with 401, before it is one, where the token is wrong', async () => {
      await expect(connect(await told(ALICE), 'wrong-0123456789abcdef')).rejects.toThrow('401');
    });
  });

  test('without a token there is no WebSocket, at the API and at the gateway itself', async () => {
    const id = await told(ALICE);
    await expect(plainClient(wsUrl(id))).rejects.toThrow('401');
    await expect(plainClient(`ws://127.0.0.1:${gateway.port}/ws/tasks/${id}/status`)).rejects.toThrow('401');
    const none = await provider.token(ALICE, { roles: [] });
    await expect(plainClient(`ws://127.0.0.1:${gateway.port}/ws/tasks/${id}/status`, { headers: as(none) })).rejects.toThrow('403');
  });

  test.each([[false], [true]])('Socket.IO follows its own and no other’s (polling: %s)', async (polling) => {
    const [mine, theirs] = [await told(ALICE), await told(BOB)];
    const client = await ioClient(api.url, { auth: { token: alice, taskId: mine }, polling });
    await client.count(5);
    expect(await client.subscribe({ taskId: theirs })).toMatchObject({ ok: false, code: 'FZ_NOT_FOUND' });
    expect(await client.subscribe({ taskId: randomUUID() })).toMatchObject({ ok: false, code: 'FZ_NOT_FOUND' });
    expect(await client.subscribe({ nothing: 1 })).toMatchObject({ ok: false, code: 'FZ_SUBSCRIPTION_INVALID' });
    expect(client.heard.every(({ taskId }) => taskId === mine)).toBe(true);
    await client.close();
    const viewer = await ioClient(api.url, { auth: { token: STATIC.viewer }, polling });
    expect(await viewer.subscribe({ taskId: theirs, lastVersion: 3 })).toEqual({ ok: true });
    await viewer.count(2);
    await viewer.close();
  });

  test.each([['no token', {}], ['a wrong one', { token: 'wrong-0123456789abcdef' }], ['one that is no text', { token: { toString: 'x' } }]])('Socket.IO with %s is not let in', async (_what, auth) => {
    await expect(ioClient(api.url, { auth: { taskId: await told(ALICE), ...auth } })).rejects.toMatchObject({ data: { code: 'FZ_UNAUTHORIZED' } });
  });

  test('a connection lasts no longer than its token', async () => {
    const id = await told(ALICE);
    const short = await provider.token(ALICE, { roles: 'submitter', exp: Math.floor(Date.now() / 1_000) + 1 });
    const [plain, socketIo] = await Promise.all([plainClient(wsUrl(id), { headers: as(short) }), ioClient(api.url, { auth: { token: short, taskId: id } })]);
    await plain.count(5);
    expect(await plain.whenClosed()).toMatchObject({ code: 1008, reason: expect.stringMatching(/^FZ_UNAUTHORIZED/) as string });
    await until(() => !socketIo.socket.connected, 'Socket.IO is cut off');
    expect(socketIo.errors.map(({ code }) => code)).toContain('FZ_UNAUTHORIZED');
  });
});
