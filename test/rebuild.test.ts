import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { factId } from '../src/facts/identity';
import { factsFrom } from '../src/facts/read';
import { tellFacts } from '../src/facts/tell';
import { openCodec } from '../src/kafka/codec';
import { openLog } from '../src/log';
import { openRelay, type Relay } from '../src/relay/relay';
import { recordOfFact } from '../src/relay/publish';
import { rebuildView, type Rebuilt } from '../src/replay/rebuild';
import { loadFormats } from '../src/schemas/wire';
import { domainNamed } from '../workflows/domains';
import { fold } from '../workflows/kernel/lifecycle';
import { PARTS_TIMEOUT_MS } from './setup/stack';
import { failedStoryOf, storyOf } from './setup/story';
import { openToldStage, paidOrder, type ToldStage } from './setup/told-stage';

/** A view that is made again from the topics is the view that the facts make, under readers and writers. */

const [content, order] = [domainNamed('content'), domainNamed('order')];

let stage: ToldStage;
beforeAll(async () => (stage = await openToldStage()), PARTS_TIMEOUT_MS);
afterAll(() => stage.close());

const rebuild = (domain = content): Promise<Rebuilt> => {
  const { config, db } = stage;
  return rebuildView({ config, db, log: openLog(config, 'test'), codec: openCodec(config, db) }, domain);
};

/** Every row of a view, as text, by id. */
async function rowsOf(table: string): Promise<string[]> {
  const { rows } = await stage.db.query<{ row: string }>(`SELECT to_jsonb(v)::text AS row FROM ${table} v ORDER BY id`);
  return rows.map(({ row }) => row);
}

function stories(count: number): Map<string, ReturnType<typeof storyOf>> {
  return new Map(Array.from({ length: count }, (_, at) => [randomUUID() as string, at] as const)
    .map(([id, at]) => [id, at % 3 === 0 ? failedStoryOf(id) : storyOf(id).slice(0, 1 + (at % 5))]));
}

test('what was emptied comes back as it was, row by row, of every domain', async () => {
  await stage.tellMany('content', stories(600));
  await stage.tellMany('order', new Map(Array.from({ length: 60 }, () => randomUUID() as string).map((id, at) => [id, paidOrder(id).slice(0, 1 + (at % 4))])));
  await stage.publish();
  // A first fact's row says when it came in, and the time of its record is when that was, as nearly as it is known.
  const before = [await rowsOf('task_view'), await rowsOf('order_view')];
  const withoutReceipt = (rows: string[]) => rows.map((row) => JSON.parse(row) as Record<string, unknown>).map((row) => (row.version === 1 ? { ...row, updated_at: 0 } : row));
  await stage.db.query('TRUNCATE task_view; TRUNCATE order_view');
  expect(await rebuild(content)).toMatchObject({ stories: 600, added: 600, corrected: 0, removed: 0, ahead: 0, untellable: [] });
  expect(await rebuild(order)).toMatchObject({ stories: 60, added: 60, corrected: 0, removed: 0, ahead: 0, untellable: [] });
  const after = [await rowsOf('task_view'), await rowsOf('order_view')];
  expect(after.map(withoutReceipt)).toEqual(before.map(withoutReceipt));
  // And where nothing is wrong nothing is touched.
  const { rows: [untouched] } = await stage.db.query<{ newest: string }>('SELECT max(xmin::text::bigint) AS newest FROM task_view');
  expect(await rebuild(content)).toMatchObject({ added: 0, corrected: 0, removed: 0 });
  expect((await stage.db.query<{ newest: string }>('SELECT max(xmin::text::bigint) AS newest FROM task_view')).rows[0]).toEqual(untouched);
}, 60_000);

test('a row that is wrong at its version, behind, ahead, or of nobody, is put right', async () => {
  const [wrong, behind, ahead, fine] = [await stage.published(), await stage.published(), await stage.published(), await stage.published()];
  const before = await rowsOf('task_view');
  const ghost = randomUUID();
  await stage.db.query(`INSERT INTO task_view SELECT * FROM json_populate_record((SELECT v FROM task_view v WHERE id = $1), $2)`, [fine, JSON.stringify({ id: ghost })]);
  await stage.db.query(`UPDATE task_view SET status = 'failed', failures = '[{}]' WHERE id = $1`, [wrong]);
  await stage.db.query(`UPDATE task_view SET version = 3, status = 'validating' WHERE id = $1`, [behind]);
  await stage.db.query(`UPDATE task_view SET version = 99, status = 'failed' WHERE id = $1`, [ahead]);
  expect(await rebuild()).toMatchObject({ added: 0, corrected: 3, removed: 1, ahead: 0, untellable: [] });
  expect(await rowsOf('task_view')).toEqual(before);
}, 60_000);

test('what the store knows and the topics do not is left alone, and counted', async () => {
  const [begun, further] = [randomUUID(), randomUUID()];
  await stage.tell('content', further, storyOf(further).slice(0, 2));
  await stage.publish();
  await stage.tell('content', further, storyOf(further));
  await stage.tell('content', begun, storyOf(begun).slice(0, 1));
  // The relay will never publish these: as far as rebuild can see, it has.
  await stage.db.query('UPDATE facts SET published_at = now() WHERE published_at IS NULL');
  const before = await rowsOf('task_view');
  expect(await rebuild()).toMatchObject({ added: 0, corrected: 0, removed: 0, ahead: 2 });
  expect(await rowsOf('task_view')).toEqual(before);
}, 60_000);

test('a story that is not told whole keeps its row and is named', async () => {
  const id = randomUUID();
  await stage.tell('content', id, storyOf(id));
  const formats = await loadFormats(stage.db);
  const facts = await factsFrom(stage.db, 'content', id);
  await stage.db.query('UPDATE facts SET published_at = now() WHERE aggregate_id = $1', [id]);
  await stage.producer.send(facts.filter(({ version }) => version !== 2).map((fact) => recordOfFact(fact, formats)));
  const before = await rowsOf('task_view');
  expect((await rebuild()).untellable).toEqual([id]);
  expect(await rowsOf('task_view')).toEqual(before);
  await stage.producer.send(facts.filter(({ version }) => version === 2).map((fact) => recordOfFact(fact, formats)));
  expect((await rebuild()).untellable).toEqual([]);
}, 60_000);

test('a forged story that no table could hold stops nobody', async () => {
  const formats = await loadFormats(stage.db);
  const id = await stage.published();
  const [created] = await factsFrom(stage.db, 'content', id);
  for (const bad of ['no-uuid', 'a\u0000b', 'x'.repeat(3_000)]) {
    const record = recordOfFact({ ...created!, id: bad, ceId: factId('content', bad, 1) }, formats);
    const assigned = recordOfFact({ ...(await factsFrom(stage.db, 'content', id))[1]!, id: bad, ceId: factId('content', bad, 2) }, formats);
    await stage.producer.send([record, assigned]);
  }
  await stage.db.query('DELETE FROM task_view WHERE id = $1', [id]);
  const rebuilt = await rebuild();
  expect(rebuilt.added).toBe(1);
  expect((await stage.db.query('SELECT 1 FROM task_view WHERE id = $1', [id])).rowCount).toBe(1);
}, 60_000);

test('two at once: one works, the other is told so', async () => {
  const outcomes = await Promise.allSettled([rebuild(), rebuild()]);
  expect(outcomes.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
  expect(outcomes.find((one) => one.status === 'rejected')?.reason).toMatchObject({ code: 'FZ_CONFLICT' });
});

describe('while everything runs', () => {
  let relay: Relay;
  beforeAll(() => (relay = openRelay(stage.config, openLog(stage.config, 'relay'), stage.producer)).start());
  afterAll(() => relay.stop());

  test('nothing that is written meanwhile is lost or overwritten, and no reader misses a row', async () => {
    const known = await stage.published();
    const told = new Map<string, ReturnType<typeof storyOf>>();
    let over = false;
    let misses = 0;
    async function write(): Promise<void> {
      while (!over) {
        const id = randomUUID();
        const facts = storyOf(id).slice(0, 1 + Math.floor(Math.random() * 5));
        for (const [at, fact] of facts.entries()) {
          await tellFacts(stage.db, content, [{ id, fact, after: fold(content.lifecycle, facts.slice(0, at + 1)) }]);
          await sleep(Math.random() * 5);
        }
        told.set(id, facts);
      }
    }
    async function read(): Promise<void> {
      while (!over) {
        for (const id of [known, ...[...told.keys()].slice(-3)]) if ((await stage.call('GET', `/tasks/${id}`)).status !== 200) misses += 1;
      }
    }
    const working = Promise.all([write(), write(), write(), write(), read()]);
    const rebuilds: Rebuilt[] = [];
    for (let round = 0; round < 3; round += 1) {
      const some = [...told.keys()].slice(-200).filter((_, at) => at % 2 === 0);
      // Rows are lost and spoilt while others write: every other one of the latest stories.
      await stage.db.query(`UPDATE task_view SET status = 'lost', attempts = 77 WHERE id = ANY($1::uuid[])`, [some]);
      if (round % 2 === 1) await stage.db.query('DELETE FROM task_view WHERE id = ANY($1::uuid[]) AND NOT id = ANY($2::uuid[])', [some.slice(0, 50), [...told.keys()].slice(-20)]);
      rebuilds.push(await rebuild());
    }
    over = true;
    await working;
    expect(rebuilds.reduce((sum, { corrected }) => sum + corrected, 0)).toBeGreaterThan(100);
    for (const [id, facts] of told) {
      const due = fold(content.lifecycle, facts);
      const { rows: [row] } = await stage.db.query<{ version: number; status: string; attempts: number }>('SELECT version, status, attempts FROM task_view WHERE id = $1', [id]);
      expect([id, row]).toEqual([id, { version: due.version, status: due.status, attempts: facts.length > 1 ? 1 : 0 }]);
    }
    expect(misses).toBe(0);
  }, 60_000);
});
