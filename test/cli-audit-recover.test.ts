import { randomUUID } from 'node:crypto';
import { json, openCli, type CliBench } from './setup/cli';
import { PARTS_TIMEOUT_MS } from './setup/stack';
import { until } from './setup/until';

/** `audit` and `recover` as an operator runs them: what they say, and how they end. */

let cli: CliBench;
beforeAll(async () => {
  cli = await openCli();
}, PARTS_TIMEOUT_MS);
afterAll(() => cli.close());

const QUICKLY = ['--settle', '0.5', '--patience', '10'];

test('audit of what is in order ends with 0', async () => {
  const outcome = await cli.run(['audit', '--domain', 'order', '--json', ...QUICKLY]);
  expect(json(outcome)).toMatchObject({ clean: true, differences: [] });
  expect(outcome.code).toBe(0);
}, 60_000);

test('audit names what is wrong and ends with 1; --repair mends it', async () => {
  const id = randomUUID();
  await cli.stage.store(id, 1, 2, 3, 4, 5);
  const found = await cli.run(['audit', id, '--json', ...QUICKLY]);
  expect(found.code).toBe(1);
  const { differences } = json(found) as { differences: { kind: string; id: string }[] };
  expect(new Set(differences.map((one) => one.kind))).toEqual(new Set(['unpublished', 'object-missing']));
  expect(differences.every((one) => one.id === id)).toBe(true);
  // Without patience nothing has stood still for long enough to be named, and nothing is cleared either.
  const hasty = await cli.run(['audit', id, '--json', '--settle', '60', '--patience', '0']);
  expect([hasty.code, json(hasty)]).toMatchObject([1, { clean: false, moving: 1, differences: [] }]);

  const mended = await cli.run(['audit', id, '--repair', ...QUICKLY]);
  expect(mended.out).toContain('repairs tried: restore 0, object 2, publish 5');
  const left = json(await cli.run(['audit', id, '--json', ...QUICKLY])) as { differences: { kind: string }[] };
  expect(left.differences.map(({ kind }) => kind)).toEqual(['object-missing', 'object-missing']);
}, 120_000);

test('audit of a time in which nothing was told says nothing', async () => {
  expect(json(await cli.run(['audit', '--since', '2027-01-01T00:00:00Z', '--json', ...QUICKLY]))).toMatchObject({ clean: true });
  expect((await cli.run(['audit', '--since', 'yesterday'])).err).toMatch(/^FZ_USAGE: /);
}, 60_000);

test('recover makes PostgreSQL again from the topics, and says what it cannot know', async () => {
  await cli.stage.db.query('TRUNCATE facts, task_view');
  const { code, out } = await cli.run(['recover', 'postgres']);
  expect(out).toContain('5 facts stored again');
  expect(out).toContain('BACKUP clients: 0 rows now');
  expect(code).toBe(0);
  expect((await cli.stage.db.query('SELECT version FROM task_view')).rows).toEqual([{ version: 5 }]);
}, 60_000);

test('recover kafka fills nothing where nothing is lost, and an unknown store is a fault', async () => {
  expect(json(await cli.run(['recover', 'kafka', '--json']))).toMatchObject({ made: [], filled: [], facts: 0 });
  expect(await cli.run(['recover', 'everything'])).toMatchObject({ code: 1, err: expect.stringMatching(/^FZ_USAGE: /) as string });
}, 60_000);

test('recover temporal brings every story on its way that is not over, and leaves alone who has a run', async () => {
  await cli.stage.store(randomUUID(), 1, 2);
  expect(json(await cli.run(['recover', 'temporal', '--json']))).toMatchObject({ made: false, started: { content: 1, order: 0 } });
  await until(async () => (json(await cli.run(['recover', 'temporal', '--json'])) as { carried: { content: number } }).carried.content === 1, 'the run is listed', 30_000);
}, 90_000);
