import { randomUUID } from 'node:crypto';
import { openFencedProducer } from '../src/kafka/fenced';
import { clusterName, openKafka } from '../src/kafka/client';
import { openLog } from '../src/log';
import { batchWindows } from './setup/batch-windows';
import { disturbed, put, randomBy, randomRecords } from './setup/random-stories';
import { PARTS_TIMEOUT_MS } from './setup/stack';
import { until } from './setup/until';
import { breaches, lastWindows, openWindowsStage, type ToldWindow, type WindowsStage } from './setup/windows-stage';

/**
 * Windows of event time, judged from their topics alone: the last record of each is what a batch over the event topics
 * computes. Two processes publish, of which one stands by. The full dose: FAZENDA_WINDOW_KILLS=20 npm test -- windows-equal
 */
const KILLS = Number(process.env.FAZENDA_WINDOW_KILLS ?? 2);
const SEED = Number(process.env.FAZENDA_WINDOW_SEED ?? Date.now() % 1_000_000);
const NAMES = ['windows-one', 'windows-two'];
const SETTLES_WITHIN_MS = 60_000;

let stage: WindowsStage;
const random = randomBy(SEED);
beforeAll(async () => {
  stage = await openWindowsStage({ WINDOW_LATENESS_MS: '2000' });
  stage.start('analytics');
  for (const name of NAMES) stage.start('windows', name);
}, PARTS_TIMEOUT_MS);
afterAll(() => stage.close());

/** Waits until the topics say what the batch says, and gives all that they said on the way. */
async function settled(): Promise<ToldWindow[]> {
  const wanted = await batchWindows(stage.config, stage.db);
  let told: ToldWindow[] = [];
  const differences = () => {
    const last = lastWindows(told);
    return [...new Set([...wanted.keys(), ...last.keys()])].filter((name) => JSON.stringify(sorted(last.get(name))) !== JSON.stringify(sorted(wanted.get(name))));
  };
  await until(async () => {
    told = await stage.told();
    return differences().length === 0;
  }, 'the windows are those of the batch', SETTLES_WITHIN_MS, 500).catch((thrown: unknown) => {
    const [first] = differences();
    throw new Error(`seed ${SEED}: ${differences().length} windows differ, as ${JSON.stringify(lastWindows(told).get(first ?? ''))}, wanted ${JSON.stringify(wanted.get(first ?? ''))}`, { cause: thrown });
  });
  expect(wanted.size).toBeGreaterThan(0);
  return told;
}

/** With its keys in order, all the way down. */
function sorted(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([key, held]) => [key, sorted(held)]));
}

test('facts in any order, twice and late give the windows of a batch', async () => {
  const records = randomRecords(random, 120, Date.parse('2026-02-03T04:05:30.000Z'), 10 * 60_000);
  const [early, late] = [records.filter((_, place) => place % 3 !== 0), records.filter((_, place) => place % 3 === 0)];
  await put(stage.producer, disturbed(random, early));
  await until(async () => (await stage.reached()) > 0n, 'windows were published', 60_000, 100);
  // Whose windows were said before, and closed; some are beginnings of stories whose end was counted.
  await put(stage.producer, disturbed(random, [...late, ...randomRecords(random, 5, Date.parse('1999-12-31T23:58:00.000Z'), 60_000)]));
  const told = await settled();
  expect(breaches(told)).toEqual([]);
  expect(told.filter(({ window }) => window.revision > 1).length).toBeGreaterThan(0);
  expect(told.filter(({ window }) => Number(window.incomplete) > 0).length).toBeGreaterThan(0);
  expect([...new Map(told.map(({ key, window }) => [`${window.stream} ${key}`, window])).values()].filter(({ closed }) => !closed)).toEqual([]);
}, PARTS_TIMEOUT_MS);

test('analytics answers with them, and says what it cannot answer', async () => {
  const said = lastWindows(await stage.told());
  const stream = 'orders.stats.1m';
  const [from, until_] = ['2026-02-03T04:06:00.000Z', '2026-02-03T04:10:00.000Z'];
  const wanted = [...said.values()].filter((window) => window.stream === stream && String(window.start) >= from && String(window.start) < until_);
  await until(async () => {
    const { json } = await stage.call('GET', `/analytics/windows?stream=${stream}&from=${from}&until=${until_}`);
    const items = (json.items as { start: string; revision: number; closed: boolean }[]).map(({ revision: _revision, closed: _closed, ...rest }) => rest);
    return JSON.stringify(sorted(items.toSorted((a, b) => (a.start < b.start ? -1 : 1)))) === JSON.stringify(sorted(wanted.toSorted((a, b) => (String(a.start) < String(b.start) ? -1 : 1))));
  }, 'analytics has what the topic has', 20_000, 200);
  expect(wanted.length).toBeGreaterThan(1);
  for (const query of ['', '?stream=nothing', `?stream=${stream}&from=yesterday`, `?stream=${stream}&limit=2`]) {
    expect((await stage.call('GET', `/analytics/windows${query}`)).status).toBe(422);
  }
});

test(`${KILLS} kills of analytics and of whoever publishes, under load: the same, and no window ever goes back`, async () => {
  let over = false;
  const loading = (async () => {
    while (!over) {
      await put(stage.producer, disturbed(random, randomRecords(random, 20, Date.now() - 90_000, 60_000)));
      await new Promise((resolve) => setTimeout(resolve, 400));
    }
  })();
  const killed = new Set<string>();
  for (let kills = 0; kills < KILLS; kills += 1) {
    const before = await stage.reached();
    await until(async () => (await stage.reached()) > before + 5n, 'windows were published in between', 60_000, 100);
    const leader = await stage.leader();
    stage.kill(leader);
    stage.kill('analytics');
    // Once ClickHouse is lost besides: while it is filled again it knows less than was said.
    if (kills === 1) await stage.emptyClickHouse();
    killed.add(leader);
    stage.start('windows', leader);
    stage.start('analytics');
  }
  over = true;
  await loading;
  expect(breaches(await settled())).toEqual([]);
  expect(killed.size).toBe(Math.min(KILLS, NAMES.length));
}, PARTS_TIMEOUT_MS + KILLS * 30_000);

test('one that was paused, and wakes when another publishes, takes nothing back', async () => {
  const paused = await stage.leader();
  stage.kill(paused, 'SIGSTOP');
  await stage.db.query('SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = $1 AND datname = current_database()', [paused]);
  await until(async () => (await stage.leader()) !== paused, 'the other one publishes', 30_000);
  await put(stage.producer, randomRecords(random, 20, Date.now() - 60_000, 1_000));
  const told = await settled();
  stage.kill(paused, 'SIGCONT');
  await put(stage.producer, randomRecords(random, 20, Date.now() - 60_000, 1_000));
  const later = await settled();
  expect(later.length).toBeGreaterThan(told.length);
  expect(breaches(later)).toEqual([]);
}, PARTS_TIMEOUT_MS);

test('a topic that is lost has all of its windows again, as they were said last', async () => {
  const before = await settled();
  const topic = 'orders.stats.1m';
  const admin = openKafka(stage.config, openLog(stage.config, 'test')).admin();
  await admin.connect();
  await admin.deleteTopics({ topics: [clusterName(stage.config, topic)] });
  await put(stage.producer, randomRecords(random, 5, Date.now() - 60_000, 1_000));
  await until(async () => (await admin.listTopics()).includes(clusterName(stage.config, topic)), 'the topic is there again', 60_000, 500);
  await admin.disconnect();
  const after = await settled();
  expect(breaches(after)).toEqual([]);
  const texts = new Set(after.filter(({ window }) => window.stream === topic).map(({ text }) => text));
  const old = before.filter(({ window }) => window.stream === topic && window.start < '2026-03-01');
  expect(old.filter(({ text, window: { start, revision } }) => old.every(({ window }) => window.start !== start || window.revision <= revision) && !texts.has(text))).toEqual([]);
}, PARTS_TIMEOUT_MS);

test('a database that has forgotten what was said takes it back from the topics', async () => {
  const before = await stage.reached();
  // In one transaction, because nobody keeps his connection to a database that is lost.
  await stage.db.query(`BEGIN; TRUNCATE window_results, window_topics;
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = ANY('{${NAMES.join(',')}}') AND datname = current_database(); COMMIT`);
  await put(stage.producer, randomRecords(random, 20, Date.now() - 60_000, 1_000));
  await until(async () => (await stage.reached()) > before, 'windows are published again', 60_000, 100);
  const told = await settled();
  expect(breaches(told)).toEqual([]);
  const { rows } = await stage.db.query<{ kept: string }>('SELECT count(*) AS kept FROM window_results');
  expect(Number(rows[0]?.kept)).toBe(lastWindows(told).size);
}, PARTS_TIMEOUT_MS);

test('the broker turns away a producer whose name another has taken', async () => {
  const log = openLog(stage.config, 'test');
  const record = { topic: 'test-events', key: 'k', value: Buffer.from('v'), headers: {} };
  const name = randomUUID();
  const [first, second] = [openFencedProducer(stage.config, log, name), openFencedProducer(stage.config, log, name)];
  try {
    await first.takeOver();
    await first.send([record]);
    await second.takeOver();
    await expect(first.send([record])).rejects.toMatchObject({ code: 'FZ_KAFKA_AWAY' });
    await second.send([record]);
  } finally {
    await Promise.all([first.stop(), second.stop()]);
  }
}, PARTS_TIMEOUT_MS);
