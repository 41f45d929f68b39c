import { randomUUID } from 'node:crypto';
import { request } from 'node:http';
import { LocalFanOut } from '../src/live/fanout';
import { openGateway, type Gateway } from '../src/live/gateway';
import type { LiveLimits } from '../src/live/limits';
import { ioClient, plainClient, type Client } from './setup/live-clients';
import { MemoryStore } from './setup/memory-store';
import { STEPS, storyOf } from './setup/story';
import { until } from './setup/until';

/** Both kinds of sockets, on a store in memory: what a client sees, may do, and is refused. */

let store: MemoryStore;
let fanOut: LocalFanOut;
let gateway: Gateway;
const clients: Client[] = [];

async function open(limits: Partial<LiveLimits> = {}): Promise<void> {
  await gateway?.close();
  store = new MemoryStore();
  fanOut = new LocalFanOut();
  gateway = await openGateway({ store, fanOut, port: 0, limits: { retryFirstMs: 5, retryMostMs: 20, goodbyeMs: 300, ...limits }, onTrouble: () => undefined });
}

const plain = async (id: string, query = '') => kept(await plainClient(`ws://127.0.0.1:${gateway.port}/ws/tasks/${id}/status${query}`));
const socketIo = async (options?: { auth?: object; polling?: boolean }) => kept(await ioClient(`http://127.0.0.1:${gateway.port}`, options));
const hint = (id: string, version: number) => fanOut.tell([{ domain: 'content', id, version }]);

function kept<Kind extends Client>(client: Kind): Kind {
  clients.push(client);
  return client;
}

beforeEach(() => open());
afterEach(async () => {
  await Promise.all(clients.splice(0).map((client) => client.close()));
});
afterAll(() => gateway.close());

const WAYS = [
  ['a WebSocket', async (id: string, lastVersion: number): Promise<Client> => plain(id, `?lastVersion=${lastVersion}`)],
  ['Socket.IO by subscribe', async (id: string, lastVersion: number): Promise<Client> => {
    const client = await socketIo();
    expect(await client.subscribe({ taskId: id, lastVersion })).toEqual({ ok: true });
    return client;
  }],
  ['Socket.IO by auth', async (id: string, lastVersion: number): Promise<Client> => socketIo({ auth: { taskId: id, lastVersion } })],
  ['Socket.IO by polling', async (id: string, lastVersion: number): Promise<Client> => socketIo({ auth: { taskId: id, lastVersion }, polling: true })],
] as const;

describe.each(WAYS)('%s', (_name, follow) => {
  test('tells a story as it happens, every version once and in order, and stays open after its end', async () => {
    const id = randomUUID();
    const story = storyOf(id);
    const client = await follow(id, 0); // Unknown as yet: it waits.
    store.put(id, ...story.slice(0, 2));
    hint(id, 2);
    hint(id, 1);
    await client.count(2);
    store.put(id, ...story.slice(2));
    for (const version of [4, 3, 5, 5]) hint(id, version);
    await client.count(5);
    expect(client.heard).toEqual(STEPS.map(([version, event, status]) => ({ taskId: id, version, status, event, at: story[version - 1]?.at })));

    const other = await follow(id, 0);
    await other.count(5);
    expect(client.heard).toHaveLength(5);
    expect(gateway.connections).toBe(2);
  });

  test('tells who comes back only what he has not seen', async () => {
    const id = randomUUID();
    store.put(id, ...storyOf(id));
    const client = await follow(id, 3);
    await client.count(2);
    expect(client.heard.map(({ version }) => version)).toEqual([4, 5]);
  });
});

test('ids compare as they are stored, however a client spells them', async () => {
  const id = randomUUID();
  store.put(id, ...storyOf(id));
  const client = await plain(id.toUpperCase());
  await client.count(5);
  expect(client.heard[0]?.taskId).toBe(id);
});

test.each([
  ['1', '?lastVersion=-1'], ['1', '?lastVersion=x'], ['1', '?lastVersion=1.5'], ['1', '?lastVersion=99999999999'], ['1', '?lastVersion=1&lastVersion=2'],
  ['', ''], ['%00', ''], ['%E0%A4%A', ''], ['x'.repeat(256), ''],
])('a WebSocket for /ws/tasks/%s/status%s is closed with 1008 and a code', async (id, query) => {
  const { code, reason } = await (await plain(id, query)).whenClosed();
  expect(code).toBe(1008);
  expect(reason).toMatch(/^FZ_SUBSCRIPTION_INVALID: /);
});

test.each([
  null, 'x', [], {}, { taskId: '' }, { taskId: 1 }, { taskId: 'a\u0000' }, { taskId: '\ud800' }, { taskId: 'x'.repeat(256) },
  { taskId: '1', lastVersion: -1 }, { taskId: '1', lastVersion: '1e3' }, { taskId: '1', lastVersion: {} }, { parcelId: '1' },
])('a Socket.IO subscription %j gets an error with a code, and the connection stays', async (wish) => {
  const client = await socketIo();
  expect(await client.subscribe(wish as object)).toMatchObject({ ok: false, code: 'FZ_SUBSCRIPTION_INVALID' });
  await until(() => client.errors.length === 1, 'the error event came');
  const id = randomUUID();
  store.put(id, ...storyOf(id));
  expect(await client.subscribe({ taskId: id })).toEqual({ ok: true });
  await client.count(5);
});

test('any other path is no WebSocket', async () => {
  await expect(plainClient(`ws://127.0.0.1:${gateway.port}/ws/elsewhere`)).rejects.toThrow('404');
});

test('a connection follows many stories, but not without end, and may leave one for another', async () => {
  await open({ subscriptionsPerSocketMax: 2 });
  const client = await socketIo();
  expect(await client.subscribe({ taskId: 'a' })).toEqual({ ok: true });
  expect(await client.subscribe({ taskId: 'b' })).toEqual({ ok: true });
  expect(await client.subscribe({ taskId: 'a', lastVersion: 1 })).toEqual({ ok: true });
  expect(await client.subscribe({ taskId: 'c' })).toMatchObject({ ok: false, code: 'FZ_SUBSCRIPTIONS_MAX' });
  await client.socket.emitWithAck('unsubscribe', { taskId: 'a' });
  expect(await client.subscribe({ taskId: 'c' })).toEqual({ ok: true });
});

test('subscribing again to a story starts over from the version it names, and tells it once', async () => {
  const id = randomUUID();
  store.put(id, ...storyOf(id).slice(0, 2));
  const client = await socketIo({ auth: { taskId: id } });
  await client.count(2);
  await client.subscribe({ taskId: id, lastVersion: 1 });
  await client.count(3);
  store.put(id, ...storyOf(id).slice(2));
  hint(id, 5);
  await client.count(6);
  expect(client.heard.map(({ version }) => version)).toEqual([1, 2, 2, 3, 4, 5]);
});

test('a gateway that has all the connections it may have turns others away, and says why', async () => {
  await open({ socketsMax: 1 });
  await plain('a');
  await until(() => gateway.connections === 1, 'it is counted');
  expect(await (await plain('b')).whenClosed()).toMatchObject({ code: 1013, reason: expect.stringMatching(/^FZ_SOCKETS_MAX/) as string });
  await expect(ioClient(`http://127.0.0.1:${gateway.port}`)).rejects.toMatchObject({ data: { code: 'FZ_SOCKETS_MAX' } });
});

test('a client that talks too much is cut off', async () => {
  await open({ clientMessageBytesMax: 100 });
  const client = await plain('a');
  client.socket.send('x'.repeat(101));
  await client.whenClosed();
  await until(() => gateway.connections === 0, 'it is gone');
});

describe('a client that does not read', () => {
  /** More than the buffers of the two kernels between them hold. */
  const STEPS_MANY = 100_000;

  async function flood() {
    const id = randomUUID();
    const client = await plain(id);
    await until(() => store.loads === 1, 'it is followed');
    client.socket.pause();
    const [first] = storyOf(id);
    store.put(id, ...Array.from({ length: STEPS_MANY }, (_none, index) => ({ ...first!, version: index + 1 })));
    hint(id, STEPS_MANY);
    await until(() => store.loads === 2, 'all was loaded, and sent in the same turn');
    return client;
  }

  test('is closed, and reads why when it reads again', async () => {
    await open({ sendBufferBytesMax: 65_536, goodbyeMs: 10_000 });
    const client = await flood();
    client.socket.resume();
    expect(await client.whenClosed()).toMatchObject({ code: 1013, reason: expect.stringMatching(/^FZ_CLIENT_SLOW/) as string });
    expect(client.heard.length).toBeLessThan(STEPS_MANY);
    expect(client.heard.map(({ version }) => version)).toEqual(client.heard.map((_message, index) => index + 1));
  });

  test('is forgotten if it never does', async () => {
    await open({ sendBufferBytesMax: 65_536 });
    await flood();
    await until(() => gateway.connections === 0, 'it was cut off');
  });

  test('is cut off by Socket.IO as well', async () => {
    await open({ sendBufferPacketsMax: 1_000 });
    const client = await socketIo();
    const id = randomUUID();
    const [first] = storyOf(id);
    store.put(id, ...Array.from({ length: 1_200 }, (_none, index) => ({ ...first!, version: index + 1 })));
    client.socket.emit('subscribe', { taskId: id });
    await until(() => client.socket.disconnected && gateway.connections === 0, 'it was cut off');
    expect(client.errors).toMatchObject([{ code: 'FZ_CLIENT_SLOW' }]);
  });
});

test('a client that no longer answers pings is gone', async () => {
  await open({ pingEveryMs: 40 });
  const [dead, alive] = [await plain('a'), await plain('a')];
  dead.socket.pause();
  await until(() => gateway.connections === 1, 'one is gone');
  expect(alive.closed).toBeUndefined();
});

test('a stopping gateway says goodbye, so that clients come back at once', async () => {
  const client = await plain('a');
  await gateway.close();
  expect((await client.whenClosed()).code).toBe(1001);
  await open();
});

test('liveness is answered, and nothing else', async () => {
  const status = (path: string) => new Promise((resolve, reject) => {
    request({ port: gateway.port, path }, (response) => resolve(response.resume().statusCode)).on('error', reject).end();
  });
  expect(await status('/livez')).toBe(200);
  expect(await status('/')).toBe(404);
});
