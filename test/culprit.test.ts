import { randomUUID } from 'node:crypto';
import type { Pool } from 'pg';
import { readConfig } from '../src/config';
import { migrate } from '../src/facts/migrate';
import { openPool, type Queryable } from '../src/facts/postgres';
import { keyOfTelling, tellFacts, type Telling } from '../src/facts/tell';
import { content } from '../workflows/content/definition';
import { ownDatabase } from './setup/database';
import { PARTS_TIMEOUT_MS, realParts } from './setup/stack';
import { storyOf, tellingsOf } from './setup/story';

/** A bulk statement that PostgreSQL refuses for somebody's data is split until the culprit stands alone. */

let db: Pool;
let drop: () => Promise<void>;
beforeAll(async () => {
  const database = await ownDatabase((await realParts()).DATABASE_URL ?? '');
  drop = database.drop;
  db = openPool(readConfig({ DATABASE_URL: database.url }), 'test');
  await migrate(db);
}, PARTS_TIMEOUT_MS);
afterAll(async () => {
  await db.end();
  await drop();
});
beforeEach(() => db.query('TRUNCATE facts, task_view'));

const firstOf = (id: string = randomUUID()): Telling => tellingsOf(id, storyOf(id).slice(0, 1))[0]!;
const goodOnes = (count: number) => Array.from({ length: count }, () => firstOf());
/** The same telling with another fact, view row and all. */
const changed = (telling: Telling, fact: Partial<Telling['fact']>): Telling => ({ ...telling, fact: { ...telling.fact, ...fact } });
const storedIds = async (table: 'facts' | 'task_view', column: string) =>
  (await db.query<{ id: string }>(`SELECT ${column}::text AS id FROM ${table}`)).rows.map(({ id }) => id).sort();

/** What no check of text or schema would find, but the database does, each in its own way. */
const CULPRITS: readonly (readonly [what: string, make: () => Telling])[] = [
  ['a NUL in its payload', () => {
    const bad = firstOf();
    return changed(bad, { data: { ...bad.fact.data, userId: 'a\u0000b' } });
  }],
  ['a time that is none', () => changed(firstOf(), { at: '2026-13-45T99:00:00Z' })],
  ['a type that has no topic', () => changed(firstOf(), { type: 'TaskForgotten' })],
  ['an id that the view cannot keep', () => {
    const bad = firstOf();
    return { ...bad, id: 'no-uuid' };
  }],
  ['a status longer than its column', () => {
    const bad = firstOf();
    return { ...bad, after: { ...bad.after!, status: 's'.repeat(51) } };
  }],
  ['a number that no column holds', () => changed(firstOf(), { version: 1e12 })],
];

test.each(CULPRITS)('%s costs that record alone, among 100 good ones', async (_what, make) => {
  const bad = make();
  const good = goodOnes(100);
  const told = await tellFacts(db, content, [...good.slice(0, 37), bad, ...good.slice(37)]);
  expect([...told.refused.keys()]).toEqual([keyOfTelling(bad)]);
  expect(told.refused.get(keyOfTelling(bad))).toMatch(/\w/);
  const ids = good.map(({ id }) => id).sort();
  expect(told.stored).toEqual(new Set(good.map(keyOfTelling)));
  expect(await storedIds('facts', 'aggregate_id')).toEqual(ids);
  expect(await storedIds('task_view', 'id')).toEqual(ids);
});

test('several culprits, first, last and side by side, are each found', async () => {
  const good = goodOnes(20);
  const bad = CULPRITS.map(([, make]) => make());
  const told = await tellFacts(db, content, [bad[0]!, ...good.slice(0, 10), bad[1]!, bad[2]!, bad[3]!, ...good.slice(10), bad[4]!, bad[5]!]);
  expect([...told.refused.keys()].sort()).toEqual(bad.map(keyOfTelling).sort());
  expect(told.stored).toEqual(new Set(good.map(keyOfTelling)));
});

test('one culprit among 128 costs a statement for each halving, not one for each record', async () => {
  let statements = 0;
  const counted: Queryable = {
    query: (text: string, values?: unknown[]) => {
      statements += 1;
      return db.query(text, values);
    },
  };
  const good = goodOnes(127);
  const told = await tellFacts(counted, content, [...good, CULPRITS[0]![1]()]);
  expect([told.stored.size, told.refused.size]).toEqual([127, 1]);
  expect(statements).toBe(1 + 2 * 7);
});

test('what is the database’s own trouble is thrown, and nobody is blamed for it', async () => {
  // The faults are made up: a real server gives them only when it is in trouble.
  const failing = (code: string): Queryable => ({ query: () => Promise.reject(Object.assign(new Error(`made up ${code}`), { code })) });
  for (const code of ['08006', '53300', '57P01', '40001', 'ECONNREFUSED']) {
    await expect(tellFacts(failing(code), content, goodOnes(4))).rejects.toThrow(`made up ${code}`);
  }
});

test('a statement that lost a deadlock is run again; one that always loses is given up', async () => {
  let losses = 3;
  const unlucky: Queryable = {
    query: (text: string, values?: unknown[]) => {
      losses -= 1;
      return losses >= 0 ? Promise.reject(Object.assign(new Error('deadlock'), { code: '40P01' })) : db.query(text, values);
    },
  };
  expect((await tellFacts(unlucky, content, goodOnes(5))).stored.size).toBe(5);
  losses = Infinity;
  await expect(tellFacts(unlucky, content, goodOnes(5))).rejects.toThrow('deadlock');
});
