import { fork, type ChildProcess } from 'node:child_process';
import { connect, createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { readConfig } from '../src/config';
import { migrate } from '../src/facts/migrate';
import { openPool } from '../src/facts/postgres';
import { compiled } from './setup/compiled';
import { ownDatabase } from './setup/database';
import { PARTS_TIMEOUT_MS, realParts } from './setup/stack';
import { until } from './setup/until';

/** The API as a process of its own, as its supervisor runs it. */
let script: string;
const children = new Set<ChildProcess>();
beforeAll(async () => (script = join(await compiled(), 'workers', 'api.js')), PARTS_TIMEOUT_MS);
afterEach(() => children.forEach((child) => child.kill('SIGKILL')));

const NOBODY = 'http://127.0.0.1:1';
const LONELY = {
  DATABASE_URL: 'postgres://nobody@127.0.0.1:1/none', KAFKA_BROKERS: '127.0.0.1:1', TEMPORAL_ADDRESS: '127.0.0.1:1', GATEWAY_URL: NOBODY, LOG_LEVEL: 'silent',
};

test('comes up with every part away, says who is, and refuses what needs them', async () => {
  const { url } = await start(LONELY);
  expect((await fetch(`${url}/livez`)).status).toBe(200);
  const ready = await fetch(`${url}/readyz`);
  expect([ready.status, ((await ready.json()) as { away: string[] }).away]).toEqual([503, ['kafka', 'temporal', 'postgres']]);
  const read = await fetch(`${url}/tasks`);
  expect([read.status, ((await read.json()) as { code: string }).code]).toEqual([503, 'FZ_POSTGRES_AWAY']);
});

test('reconnects by itself once the parts are there', async () => {
  const parts = await realParts();
  const database = await ownDatabase(parts.DATABASE_URL ?? '');
  const db = openPool(readConfig({ DATABASE_URL: database.url }), 'test');
  await migrate(db);
  await db.end();
  const doors = await Promise.all([parts.KAFKA_BROKERS, parts.TEMPORAL_ADDRESS].map((address) => closedDoor(address ?? '')));
  // Kafka names itself by its own address in its metadata, so only its bootstrap stands behind a door.
  const { url } = await start({
    ...parts, DATABASE_URL: database.url, KAFKA_BROKERS: doors[0]?.address ?? '', TEMPORAL_ADDRESS: doors[1]?.address ?? '', GATEWAY_URL: NOBODY, LOG_LEVEL: 'silent',
  });
  const away = async () => ((await (await fetch(`${url}/readyz`)).json()) as { away: string[] }).away;
  expect(await away()).toEqual(['kafka', 'temporal']);
  doors.forEach((door) => door.open());
  await until(async () => (await away()).length === 0, 'it found Kafka and Temporal');
  doors.forEach((door) => door.close());
  await database.drop();
});

test.each([
  ['SIGTERM', (child: ChildProcess) => void child.kill('SIGTERM')],
  ['a supervisor that is gone', (child: ChildProcess) => child.disconnect()],
])('%s ends it in order, with 0', async (_what, end) => {
  const { child, url } = await start(LONELY);
  expect((await fetch(`${url}/livez`)).status).toBe(200);
  const left = new Promise<number | null>((resolve) => child.once('exit', resolve));
  end(child);
  expect(await left).toBe(0);
});

test('does not start beyond loopback without a token, and says why', async () => {
  // 127.1 is loopback in a spelling that is not taken for it.
  const { LOG_LEVEL: _silent, ...lonely } = LONELY;
  const child = run({ ...lonely, HOST: '127.1', PORT: '0' });
  let said = '';
  child.stdout?.on('data', (bytes) => (said += String(bytes)));
  expect(await new Promise<number | null>((resolve) => child.once('close', resolve))).toBe(1);
  expect(said).toMatch(/HOST 127\.1 is not loopback, .*FAZENDA_ADMIN_TOKEN/);
});

async function start(env: Record<string, string>): Promise<{ child: ChildProcess; url: string }> {
  const port = await freePort();
  const child = run({ ...env, PORT: String(port) });
  await new Promise<void>((resolve, reject) => {
    child.once('message', () => resolve()).once('exit', (code) => reject(new Error(`the API ended with ${code}`)));
  });
  return { child, url: `http://127.0.0.1:${port}` };
}

function run(env: Record<string, string>): ChildProcess {
  const child = fork(script, { env: { PATH: process.env.PATH, ...env }, stdio: ['ignore', 'pipe', 'inherit', 'ipc'] });
  children.add(child);
  return child;
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** A way to an address that hangs up on everyone until it is opened. */
async function closedDoor(address: string): Promise<{ address: string; open(): void; close(): void }> {
  const { hostname, port } = new URL(`tcp://${address}`);
  let opened = false;
  const server = createServer((socket) => {
    socket.on('error', () => socket.destroy());
    if (!opened) return void socket.destroy();
    const behind = connect(Number(port), hostname, () => socket.pipe(behind).pipe(socket));
    behind.on('error', () => socket.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { address: `127.0.0.1:${(server.address() as AddressInfo).port}`, open: () => void (opened = true), close: () => void server.close() };
}
