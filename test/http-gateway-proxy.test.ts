import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { WebSocket, WebSocketServer } from 'ws';
import { openApi, type TestApi } from './setup/api';
import { fakeProducer } from './setup/fake-producer';
import { PARTS_TIMEOUT_MS } from './setup/stack';
import { until } from './setup/until';

const up = async () => undefined;
const TOKEN = 'a-token-of-this-test';
const PATH = '/ws/tasks/1/status?lastVersion=3';

/** Not the gateway: an echo in its place, because only the way there is tested. */
let gateway: Server;
let sockets: WebSocketServer;
let apis: TestApi[];
beforeAll(async () => {
  gateway = createServer((request, response) => response.end(`gateway ${request.method} ${request.url}`));
  sockets = new WebSocketServer({ server: gateway });
  sockets.on('connection', (socket, request) => {
    socket.send(`hello ${request.url}`);
    socket.on('message', (bytes) => socket.send(`echo ${String(bytes)}`));
  });
  await new Promise<void>((resolve) => gateway.listen(0, '127.0.0.1', resolve));
  const at = { GATEWAY_URL: `http://127.0.0.1:${(gateway.address() as AddressInfo).port}` };
  const open = (env: Record<string, string>) => openApi({ producer: fakeProducer(), checks: { kafka: up, temporal: up, postgres: up }, env });
  // 127.1 is loopback in a spelling that is not taken for it.
  apis = await Promise.all([open(at), open({ ...at, HOST: '127.1', FAZENDA_ADMIN_TOKEN: TOKEN }), open({ GATEWAY_URL: 'http://127.0.0.1:1' })]);
}, PARTS_TIMEOUT_MS);
afterAll(async () => {
  await Promise.all(apis.map((api) => api.close()));
  gateway.close();
});

const [OPEN, GUARDED, LONELY] = [0, 1, 2];
const at = (which: number) => apis[which]!;

test('a WebSocket goes to the gateway and back, path and query kept', async () => {
  expect(await talk(at(OPEN), PATH, ['hi'])).toEqual([`hello ${PATH}`, 'echo hi']);
});

test('so does Socket.IO, as a WebSocket and as plain HTTP', async () => {
  expect(await talk(at(OPEN), '/socket.io/?EIO=4&transport=websocket')).toEqual(['hello /socket.io/?EIO=4&transport=websocket']);
  expect((await api('GET', '/socket.io/?EIO=4&transport=polling')).text).toBe('gateway GET /socket.io/?EIO=4&transport=polling');
  expect((await api('POST', '/socket.io/?sid=1', 'frame', { 'content-type': 'text/plain' })).text).toBe('gateway POST /socket.io/?sid=1');
});

test('nothing else does', async () => {
  expect((await api('GET', '/wsx')).status).toBe(404);
  await expect(talk(at(OPEN), '/tasks')).rejects.toThrow('404');
});

test('sockets end with the API, on both sides, and it stops all the same', async () => {
  const extra = await openApi({ producer: fakeProducer(), checks: { kafka: up, temporal: up, postgres: up }, env: { GATEWAY_URL: at(OPEN).config.GATEWAY_URL } });
  const closed = Array.from({ length: 5 }, () => new Promise<void>((resolve, reject) => {
    const socket = new WebSocket(`${extra.url.replace('http', 'ws')}${PATH}`);
    socket.on('close', () => resolve()).on('error', reject);
    socket.once('message', () => arrived());
  }));
  let here = 0;
  let all: () => void = () => undefined;
  const everyone = new Promise<void>((resolve) => (all = resolve));
  function arrived(): void {
    here += 1;
    if (here === closed.length) all();
  }
  await everyone;
  await extra.close();
  await Promise.all(closed);
  await until(() => sockets.clients.size === 0, 'the gateway has seen them go');
});

test('beyond loopback an upgrade needs the token', async () => {
  await expect(talk(at(GUARDED), PATH)).rejects.toThrow('401');
  expect(await talk(at(GUARDED), PATH, [], { authorization: `Bearer ${TOKEN}` })).toEqual([`hello ${PATH}`]);
});

test('a gateway that is away is a 503, by HTTP and by upgrade, and the API goes on', async () => {
  const answer = await at(LONELY).call('GET', '/socket.io/');
  expect([answer.status, answer.json.code]).toEqual([503, 'FZ_GATEWAY_AWAY']);
  await expect(talk(at(LONELY), PATH)).rejects.toThrow('503');
  expect((await at(LONELY).call('GET', '/livez')).status).toBe(200);
});

const api: TestApi['call'] = (...request) => at(OPEN).call(...request);

/** Opens a socket, says the lines, and answers with as many messages as lines and the greeting. */
function talk({ url }: TestApi, path: string, lines: string[] = [], headers: Record<string, string> = {}): Promise<string[]> {
  return new Promise((resolve, reject) => {
    const heard: string[] = [];
    const socket = new WebSocket(`${url.replace('http', 'ws')}${path}`, { headers });
    socket.on('open', () => lines.forEach((line) => socket.send(line))).on('error', reject);
    socket.on('message', (bytes) => {
      heard.push(String(bytes));
      if (heard.length === lines.length + 1) socket.close();
    });
    socket.on('close', () => resolve(heard));
  });
}
