import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { isRunning, parseIdentity, signalGroup, type ProcessIdentity } from '../src/runtime/identity';
import type { Endpoints } from '../src/runtime/parts';
import { findRabbitmq } from '../src/runtime/parts/rabbitmq';
import { PROCESS_NAMES } from '../src/runtime/processes';
import { PARTS_TIMEOUT_MS } from './setup/stack';
import { removeTempHomes, tempHome } from './setup/temp-home';

/** RabbitMQ is done without where the machine has none. */
const PARTS = ['kafka', 'postgres', 's3', 'temporal', ...(findRabbitmq(process.env) === undefined ? [] : ['rabbitmq'])];
const POLL_MS = 100;
const BACK_WITHIN_MS = 30_000;
const STOPPED_WITHIN_MS = 15_000;

const started: ChildProcess[] = [];

afterAll(async () => {
  for (const npm of started) if (npm.pid !== undefined) signalGroup(npm.pid, 'SIGTERM');
  await Promise.all(started.map((npm) => npm.exitCode ?? npm.signalCode ?? once(npm, 'exit')));
  removeTempHomes();
});

/** `npm start`, as the first process of a group of its own, as a shell would start it. */
function npmStart(home: string): { npm: ChildProcess; said: () => string } {
  const npm = spawn('npm', ['start'], { cwd: join(__dirname, '..'), env: { ...process.env, FAZENDA_HOME: home, NODE_ENV: '' }, detached: true });
  let text = '';
  for (const stream of [npm.stdout, npm.stderr]) stream.on('data', (chunk: Buffer) => (text += chunk.toString()));
  started.push(npm);
  return { npm, said: () => text };
}

async function within(limitMs: number, condition: () => boolean | Promise<boolean>, what: () => string): Promise<void> {
  const deadline = Date.now() + limitMs;
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error(`not within ${limitMs} ms: ${what()}`);
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

async function ready(home: string, { npm, said }: ReturnType<typeof npmStart>): Promise<Endpoints & { api: string }> {
  const file = join(home, 'endpoints.json');
  await within(PARTS_TIMEOUT_MS, () => existsSync(file) || npm.exitCode !== null, () => `a start:\n${said()}`);
  if (!existsSync(file)) throw new Error(`npm start ended:\n${said()}`);
  const endpoints = JSON.parse(readFileSync(file, 'utf8')) as Endpoints & { api: string };
  await within(BACK_WITHIN_MS, () => answers(endpoints.api, 200), () => `/readyz:\n${said()}`);
  return endpoints;
}

async function answers(api: string, status: number): Promise<boolean> {
  return await fetch(`${api}/readyz`).then((answer) => answer.status === status, () => false);
}

function recorded(home: string): Map<string, ProcessIdentity> {
  const all = new Map<string, ProcessIdentity>();
  for (const file of readdirSync(join(home, 'run'))) {
    const who = parseIdentity(readFileSync(join(home, 'run', file), 'utf8'));
    if (who !== undefined) all.set(file.replace(/\.json$/, ''), who);
  }
  return all;
}

async function stopped(home: string, npm: ChildProcess, signal: () => void): Promise<void> {
  const before = [...recorded(home).values()];
  const at = Date.now();
  const ended = once(npm, 'exit');
  signal();
  const [code] = (await ended) as [number | null];
  expect(Date.now() - at).toBeLessThan(STOPPED_WITHIN_MS);
  expect(code).toBe(0);
  expect(before.filter(isRunning)).toEqual([]);
  expect(existsSync(join(home, 'endpoints.json'))).toBe(false);
}

async function json(url: string, init?: RequestInit): Promise<Record<string, unknown>> {
  const answer = await fetch(url, init);
  expect(answer.ok).toBe(true);
  return (await answer.json()) as Record<string, unknown>;
}

test('npm start brings all up, heals what is killed, stops by a signal to npm or to its group, and forgets nothing', async () => {
  const home = tempHome();
  const first = npmStart(home);
  const { api, schemaRegistry, clickhouse } = await ready(home, first);
  expect(statSync(join(home, 'endpoints.json')).mode & 0o077).toBe(0);
  for (const word of [`localhost:${new URL(api).port}`, 'Admin token', 'npx fazenda submit --watch', 'Mailbox', 'RabbitMQ']) expect(first.said()).toContain(word);

  const before = recorded(home);
  const processes = PROCESS_NAMES.filter((name) => clickhouse !== null || !['analytics', 'windows'].includes(name));
  expect([...before.keys()].sort()).toEqual([...processes, ...PARTS, ...(schemaRegistry === null ? [] : ['registry']), ...(clickhouse === null ? [] : ['clickhouse'])].sort());
  for (const name of processes) process.kill(before.get(name)?.pid ?? 0, 'SIGKILL');
  const healed = (name: string): boolean => {
    const now = recorded(home).get(name);
    return now !== undefined && now.pid !== before.get(name)?.pid && first.said().includes(`${name} is back`);
  };
  await within(BACK_WITHIN_MS, () => processes.every(healed), () => first.said());
  expect(await answers(api, 200)).toBe(true);

  const body = JSON.stringify({ name: 'kept', prompt: 'Write one sentence.', rules: [] });
  const { id } = await json(`${api}/templates`, { method: 'POST', headers: { 'content-type': 'application/json' }, body });
  await stopped(home, first.npm, () => first.npm.kill('SIGTERM'));

  const second = npmStart(home);
  const { api: again } = await ready(home, second);
  expect(JSON.stringify(await json(`${again}/templates`))).toContain(String(id));
  await stopped(home, second.npm, () => process.kill(-(second.npm.pid ?? 0), 'SIGINT'));
}, PARTS_TIMEOUT_MS);
