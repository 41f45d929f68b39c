import { spawn, type ChildProcess } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { openItems } from '../src/items/store';
import { openHint } from '../src/facts/hint';
import { openApi, type TestApi } from './setup/api';
import { compiled } from './setup/compiled';
import { rawRecordsOn } from './setup/raw-records';
import { PARTS_TIMEOUT_MS, realParts } from './setup/stack';
import { until } from './setup/until';

/**
 * Two relays at once, and whichever owns the shards is killed with signal 9 while it publishes, again and again.
 * Judged from the topic. The full dose: FAZENDA_RELAY_KILLS=100 npm test -- relays-under-kills
 */
const KILLS = Number(process.env.FAZENDA_RELAY_KILLS ?? 8);
const WRITERS = 10;
/** Facts that are published between two kills, so that each hits a relay at work. */
const WORK = 60;
const NAMES = ['relay-one', 'relay-two'] as const;

let api: TestApi;
let script: string;
let env: NodeJS.ProcessEnv;
const relays = new Map<string, ChildProcess>();
beforeAll(async () => {
  api = await openApi();
  script = join(await compiled(), 'workers', 'relay.js');
  const { KAFKA_TOPIC_PREFIX } = api.config;
  env = { PATH: process.env.PATH, ...(await realParts()), KAFKA_TOPIC_PREFIX, LOG_LEVEL: 'silent' };
}, PARTS_TIMEOUT_MS);
afterAll(async () => {
  for (const relay of relays.values()) relay.kill('SIGKILL');
  await api.close();
});

/** Named to PostgreSQL, so that it can be told which of them owns the shards. */
function startRelay(name: string): void {
  const url = `${api.config.DATABASE_URL.reveal()}?application_name=${name}`;
  relays.set(name, spawn(process.execPath, [script], { env: { ...env, DATABASE_URL: url }, stdio: 'ignore' }));
}

async function owner(): Promise<string | undefined> {
  const { rows } = await api.db.query<{ name: string }>(
    `SELECT a.application_name AS name FROM pg_locks l JOIN pg_stat_activity a USING (pid)
     WHERE l.locktype = 'advisory' AND l.granted AND a.application_name = ANY($1) AND a.datname = current_database() LIMIT 1`, [NAMES]);
  return rows[0]?.name;
}

const count = async (where: string) => Number((await api.db.query<{ n: string }>(`SELECT count(*) AS n FROM facts WHERE published_at IS ${where}`)).rows[0]?.n);

test(`${KILLS} kills of the relay that publishes: every fact is on the topic, each item's in order, each time the same bytes`, async () => {
  const items = openItems(api.db, true, openHint(api.db, () => undefined));
  const call = { userId: 'chaos', correlationId: 'c', traceparent: `00-${'1'.repeat(32)}-${'2'.repeat(16)}-01` };
  const wanted = new Map<string, number>();
  let over = false;
  async function write(): Promise<void> {
    while (!over) {
      const { id } = await items.create(randomUUID(), { name: 'n', sku: 's' }, call);
      wanted.set(id, 1);
      for (let version = 2; version <= 6; version += 1) {
        await sleep(5);
        await items.update(id, { name: `n ${version}` }, call);
        wanted.set(id, version);
      }
    }
  }
  NAMES.forEach(startRelay);
  const writing = Promise.all(Array.from({ length: WRITERS }, write));
  const killed = new Set<string>();
  for (let kills = 0; kills < KILLS; kills += 1) {
    const before = await count('NOT NULL');
    await until(async () => (await count('NOT NULL')) >= before + WORK, 'there was work in between', 60_000);
    let name: string | undefined;
    await until(async () => (name = await owner()) !== undefined, 'one of them owns the shards');
    relays.get(name!)?.kill('SIGKILL');
    killed.add(name!);
    startRelay(name!);
  }
  over = true;
  await writing;
  await until(async () => (await count('NULL')) === 0, 'everything is published', 60_000);
  // Each of them took over from the other.
  expect(killed.size).toBe(NAMES.length);

  const bytes = new Map<string, string>();
  const seen = new Map<string, number>();
  for (const { key, value, headers } of await rawRecordsOn(api.config, 'items-events')) {
    const [id, ceId, version] = [String(key), String(headers.ce_id), Number(headers.ce_sequence)];
    const all = `${id} ${String(value)} ${JSON.stringify(Object.entries(headers).map(([name, held]) => [name, String(held)]))}`;
    expect(bytes.get(ceId) ?? all).toBe(all);
    if (bytes.has(ceId)) continue;
    bytes.set(ceId, all);
    if (version !== (seen.get(id) ?? 0) + 1) throw new Error(`${id}: version ${version} came after ${seen.get(id) ?? 0}`);
    seen.set(id, version);
  }
  expect(seen).toEqual(wanted);
}, PARTS_TIMEOUT_MS);
