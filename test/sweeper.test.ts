import { randomUUID } from 'node:crypto';
import type { Client } from '@temporalio/client';
import type { Pool } from 'pg';
import { readConfig, type Config } from '../src/config';
import { migrate } from '../src/facts/migrate';
import { openPool } from '../src/facts/postgres';
import { tellFacts } from '../src/facts/tell';
import { openLog } from '../src/log';
import { keepSweeping, sweep } from '../src/sweeper/sweeper';
import { content } from '../workflows/content/definition';
import { ownDatabase } from './setup/database';
import { PARTS_TIMEOUT_MS, realParts } from './setup/stack';
import { storyOf, tellingsOf } from './setup/story';
import { until } from './setup/until';

/** Every story that should move and has not for a while is started, and no other. That a started story goes on is test/one-story-many-runs.test.ts. */

let config: Config;
let db: Pool;
let drop: () => Promise<void>;
/** Temporal is a stand-in that only writes down what it was asked to start. */
let started: string[] = [];
let refusing = false;
const temporal = Object.assign(Object.create(null) as Client, {
  workflow: {
    start: async (_name: string, { workflowId }: { workflowId: string }) => {
      if (refusing) throw new Error('Temporal is away');
      started.push(workflowId);
    },
  },
});

beforeAll(async () => {
  const database = await ownDatabase((await realParts()).DATABASE_URL ?? '');
  drop = database.drop;
  config = readConfig({ DATABASE_URL: database.url, STUCK_AFTER_MS: '60000', SWEEP_EVERY_MS: '10', LOG_LEVEL: 'silent' });
  db = openPool(config, 'test');
  await migrate(db);
}, PARTS_TIMEOUT_MS);
afterAll(async () => {
  await db.end();
  await drop();
});
beforeEach(async () => {
  [started, refusing] = [[], false];
  await db.query('TRUNCATE facts, task_view');
});

/** Tells so many stories up to a version; the last fact of each is `ageMs` old. */
async function stories(count: number, version: number, ageMs: (index: number) => number): Promise<string[]> {
  const ids = Array.from({ length: count }, () => randomUUID() as string);
  for (let at = 1; at <= version; at += 1) {
    await tellFacts(db, content, ids.map((id, index) => {
      const telling = tellingsOf(id, storyOf(id).slice(0, at)).at(-1)!;
      return { ...telling, after: { ...telling.after!, movedAt: new Date(Date.now() - ageMs(index)).toISOString() } };
    }));
  }
  return ids;
}

const deps = () => ({ config, db, temporal, log: openLog(config, 'test') });
const namesOf = (ids: readonly string[]) => ids.map((id) => `content/${id}`).sort();

test('650 stuck stories are all started, though many stopped at the same instant', async () => {
  const sameInstant = Date.now() - 120_000;
  const ids = [
    ...await stories(350, 1, () => Date.now() - sameInstant),
    ...await stories(300, 2, (index) => 61_000 + index * 1_000),
  ];
  expect(await sweep(deps(), content)).toBe(650);
  expect([...started].sort()).toEqual(namesOf(ids));
});

test('stories that are done, and stories that moved a moment ago, are left alone', async () => {
  await stories(250, 5, () => 3_600_000);
  await stories(30, 1, () => 30_000);
  const stuck = await stories(3, 4, () => 3_600_000);
  expect(await sweep(deps(), content)).toBe(3);
  expect([...started].sort()).toEqual(namesOf(stuck));
});

test('stories that wait for a person are left alone', async () => {
  await stories(5, 1, () => 3_600_000);
  await db.query("UPDATE task_view SET phase = 'waiting'");
  expect(await sweep(deps(), content)).toBe(0);
  expect(started).toEqual([]);
});

test('while Temporal is away the sweeper goes on trying, and when it is back it sweeps', async () => {
  const ids = await stories(3, 1, () => 3_600_000);
  let waits = 0;
  const log = openLog(config, 'test');
  const heard = Object.assign(Object.create(log) as typeof log, { warn: () => (waits += 1) });
  refusing = true;
  const stop = keepSweeping({ ...deps(), log: heard });
  try {
    await until(() => waits >= 3, 'it has tried three times');
    expect(started).toEqual([]);
    refusing = false;
    await until(() => started.length >= 3, 'it has swept');
    expect([...new Set(started)].sort()).toEqual(namesOf(ids));
  } finally {
    stop();
  }
});
