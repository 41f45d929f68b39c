import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { Kafka, logLevel } from 'kafkajs';
import { Client } from 'pg';
import { isRunning, parseIdentity, type ProcessIdentity } from '../src/runtime/identity';
import { startParts, type PartEvent, type PartName, type RunningParts } from '../src/runtime/parts';
import { findRabbitmq } from '../src/runtime/parts/rabbitmq';
import { PARTS_TIMEOUT_MS } from './setup/stack';
import { removeTempHomes, tempHome } from './setup/temp-home';
import { until } from './setup/until';

const PARTS: PartName[] = ['temporal', 'kafka', 'postgres', 's3', ...(findRabbitmq(process.env) === undefined ? [] : ['rabbitmq' as const])];
const BACK_WITHIN_MS = 30_000;

let home: string;
let parts: RunningParts;
const events: PartEvent[] = [];

beforeAll(async () => {
  home = tempHome();
  parts = await startParts({ home, parts: PARTS, env: process.env, onEvent: (event) => events.push(event) });
}, PARTS_TIMEOUT_MS);
afterAll(async () => {
  await parts.stop();
  removeTempHomes();
});

function running(part: PartName): ProcessIdentity {
  const who = parseIdentity(readFileSync(join(home, 'run', `${part}.json`), 'utf8'));
  if (who === undefined) throw new Error(`${part} is not recorded`);
  return who;
}

async function query(text: string): Promise<unknown[]> {
  const client = new Client({ connectionString: parts.env.DATABASE_URL });
  await client.connect();
  try {
    return (await client.query(text)).rows;
  } finally {
    await client.end();
  }
}

/** Addresses of the sockets that a process listens on, in the kernel's own hexadecimal. */
function listening(pid: number): string[] {
  const folder = `/proc/${pid}/fd`;
  const sockets = new Set(readdirSync(folder).map((fd) => /^socket:\[(\d+)\]$/.exec(readlinkSync(join(folder, fd)))?.[1]));
  return ['tcp', 'tcp6'].flatMap((family) =>
    readFileSync(`/proc/${pid}/net/${family}`, 'utf8').trim().split('\n').slice(1).map((line) => line.trim().split(/\s+/))
      .filter((fields) => fields[3] === '0A' && sockets.has(fields[9]))
      .map((fields) => (fields[1] ?? '').split(':')[0] ?? ''),
  );
}

test('all of them listen on loopback alone', () => {
  if (process.platform !== 'linux') return;
  const loopback = ['0100007F', '00000000000000000000000001000000', '0000000000000000FFFF00000100007F'];
  for (const part of PARTS) {
    const addresses = listening(running(part).pid);
    expect(addresses.length).toBeGreaterThan(0);
    expect(addresses.filter((address) => !loopback.includes(address))).toEqual([]);
  }
});

test('a part that is killed comes back on its port, with its data', async () => {
  const kafka = new Kafka({ brokers: [parts.env.KAFKA_BROKERS ?? ''], logLevel: logLevel.NOTHING });
  const admin = kafka.admin();
  await admin.connect();
  await admin.createTopics({ topics: [{ topic: 'survives' }], waitForLeaders: true });
  await query('CREATE TABLE survives AS SELECT 42 AS answer');

  const before = PARTS.map(running);
  const at = Date.now();
  PARTS.forEach((part) => parts.kill(part));
  const back = (part: PartName): boolean => events.some((event) => event.part === part && event.kind === 'restarted');
  for (const part of PARTS) {
    while (!back(part) && Date.now() - at < BACK_WITHIN_MS) await until(() => back(part), `${part} is back`).catch(() => undefined);
    expect(back(part)).toBe(true);
    expect(events).toContainEqual(expect.objectContaining({ part, kind: 'died' }));
  }

  // The same addresses as before: nobody was told new ones.
  expect(await query('SELECT answer FROM survives')).toEqual([{ answer: 42 }]);
  expect(await admin.listTopics()).toContain('survives');
  await admin.disconnect();
  expect(before.filter(isRunning)).toEqual([]);
}, 60_000);

test('a stop leaves no process and no claim on the home', async () => {
  const before = PARTS.map(running);
  expect(before.filter(isRunning)).toHaveLength(PARTS.length);
  await parts.stop();
  expect(before.filter(isRunning)).toEqual([]);
  expect(readdirSync(join(home, 'run'))).toEqual([]);
  await (await startParts({ home, parts: [], env: {} })).stop();
});
