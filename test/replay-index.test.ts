import { randomUUID } from 'node:crypto';
import { openCodec } from '../src/kafka/codec';
import { openLog } from '../src/log';
import { findStories } from '../src/replay/find';
import { domainNamed } from '../workflows/domains';
import { writeManyFacts } from './setup/many-records';
import { PARTS_TIMEOUT_MS } from './setup/stack';
import { storyOf } from './setup/story';
import { eventsOf as events, openToldStage, WHOLE as whole, type ToldStage } from './setup/told-stage';

/**
 * The index of places finds a story's records among all others, and where it is wrong that costs time and never the truth.
 * The full dose: FAZENDA_REPLAY_EVENTS=1000000 npm test -- replay-index
 */

const EVENTS = Number(process.env.FAZENDA_REPLAY_EVENTS ?? 3_000);

const content = domainNamed('content');

let stage: ToldStage;
beforeAll(async () => (stage = await openToldStage()), PARTS_TIMEOUT_MS);
afterAll(() => stage.close());

const replayed = (body: object) => stage.replayed(body);
const published = () => stage.published();

test('the index brings it to the very records, and without it what is not indexed is read', async () => {
  const { config, db } = stage;
  const find = (id: string) => findStories({ config, db, log: openLog(config, 'test'), codec: openCodec(config, db) }, [{ domain: content, id }], 'near');
  const many = new Map(Array.from({ length: 300 }, () => randomUUID() as string).map((id) => [id, storyOf(id)]));
  await stage.tellMany('content', many);
  await stage.publish();
  await stage.index();
  const id = [...many.keys()][7] ?? '';
  const found = await find(id);
  expect(found.stories[0]?.version).toBe(5);
  expect([found.records, found.trusted]).toEqual([5, true]);
  // One more story that nobody has indexed: its own partition's rest, and first facts of any.
  const late = await published();
  const second = await find(late);
  expect(second.stories[0]?.version).toBe(5);
  expect(second.records).toBe(5);
}, 60_000);

test(`one story among ${EVENTS} events: the index spares reading any other’s`, async () => {
  const { config, db } = stage;
  const find = async (id: string, scope: 'near' | 'everywhere') => {
    const begun = performance.now();
    const { stories, records } = await findStories({ config, db, log: openLog(config, 'test'), codec: openCodec(config, db) }, [{ domain: content, id }], scope);
    return { version: stories[0]?.version, records, ms: Math.round(performance.now() - begun) };
  };
  await stage.index();
  await writeManyFacts(config, EVENTS / 2);
  const id = await published();
  await writeManyFacts(config, EVENTS / 2);
  // Whoever has no index reads everything; one that is behind spares what no door of a stranger could have begun.
  const [whole, behind] = [await find(id, 'everywhere'), await find(id, 'near')];
  const begun = performance.now();
  await stage.index();
  const indexingMs = Math.round(performance.now() - begun);
  const indexed = await find(id, 'near');
  if (process.env.FAZENDA_REPLAY_EVENTS) console.log(JSON.stringify({ EVENTS, whole, behind, indexingMs, indexed }));
  expect([whole.version, behind.version, indexed]).toEqual([5, 5, { version: 5, records: 5, ms: indexed.ms }]);
  expect(whole.records).toBeGreaterThanOrEqual(EVENTS);
  expect(behind.records).toBeLessThan(EVENTS / 2);
}, 1_800_000);

describe('an index that is wrong costs time, never the truth', () => {
  test('it names a place that holds something else, and nobody else knows better', async () => {
    const [id, other] = [await published(), await published()];
    await stage.index();
    await stage.db.query('DELETE FROM fact_places WHERE aggregate_id = $1 AND version = 5', [id]);
    await stage.db.query('UPDATE fact_places SET aggregate_id = $1 WHERE aggregate_id = $2 AND version = 5', [id, other]);
    await stage.db.query('DELETE FROM task_view WHERE id = $1', [id]);
    const answer = await replayed({ aggregateId: id });
    expect([events(answer), answer.differences]).toEqual([whole, [{ teller: 'task_view', field: 'version', expected: 5, found: null }]]);
    expect(events(await replayed({ aggregateId: other }))).toEqual(whole);
  }, 60_000);

  test.each([1, 3, 5])('it lacks version %i', async (version) => {
    const id = await published();
    await stage.index();
    await stage.db.query('DELETE FROM fact_places WHERE aggregate_id = $1 AND version = $2', [id, version]);
    const answer = await replayed({ aggregateId: id });
    expect([events(answer), answer.differences]).toEqual([whole, []]);
  }, 60_000);

  test('it was made of topics that are there no more', async () => {
    const id = await published();
    await stage.index();
    await stage.db.query('UPDATE fact_places_read SET next_offset = next_offset + 1000');
    await stage.db.query('UPDATE fact_places SET record_offset = record_offset + 500');
    expect(events(await replayed({ aggregateId: id }))).toEqual(whole);
    await stage.index();
    const { rows } = await stage.db.query<{ version: number }>('SELECT version FROM fact_places WHERE aggregate_id = $1 ORDER BY version', [id]);
    expect(rows.map(({ version }) => version)).toEqual([1, 2, 3, 4, 5]);
  }, 60_000);

  test('a header that no table can hold does not stop it', async () => {
    const bad = { topic: 'task.failed', key: 'k', value: Buffer.from('{}') };
    const header = (id: string, version: string) => ({ ...bad, headers: { ce_source: '/fazenda/content', ce_subject: id, ce_sequence: version } });
    await stage.producer.send([header('a\u0000b', '1'), header('x'.repeat(9_000), '1'), header('x', '9999999999')]);
    const id = await published();
    await stage.index();
    const { rows } = await stage.db.query<{ n: number }>('SELECT count(*)::int AS n FROM fact_places WHERE aggregate_id = $1', [id]);
    expect(rows[0]?.n).toBe(5);
  });
});
