import { randomUUID } from 'node:crypto';
import { WorkflowNotFoundError } from '@temporalio/client';
import type { StoredFact } from '../src/facts/read';
import type { Queryable } from '../src/facts/postgres';
import { Gate } from '../src/ingress/gate';
import { takeChunk } from '../src/ingress/ingress';
import { openLog } from '../src/log';
import { ingressRecords } from '../src/metrics';
import { content } from '../workflows/content/definition';
import type { Around } from './setup/around';
import { openBench, type Bench } from './setup/bench';
import { fakeProducer } from './setup/fake-producer';
import { cancel, created } from './setup/ingress';
import { PARTS_TIMEOUT_MS } from './setup/stack';
import { until } from './setup/until';

/** A cancel wins over its create, whichever comes first and wherever the two meet. The records are handed to the doors by hand, so that they can be held. */

let bench: Bench;
let workers: { stop(): Promise<void> };
/** Called in the place of every activity; each test sets its own. */
let around: Around = (_name, _args, run) => run();
let generated: string[] = [];
beforeAll(async () => {
  bench = await openBench();
  workers = await bench.startWorkers((name, args, run) => {
    if (name === 'generateDraft') generated.push((args[0] as { id: string }).id);
    return around(name, args, run);
  });
}, PARTS_TIMEOUT_MS);
afterAll(async () => {
  await workers.stop();
  await bench.close();
});
beforeEach(() => {
  around = (_name, _args, run) => run();
  generated = [];
});

const [createDoor, cancelDoor] = [content.doors[0]!, content.doors[1]!];
let offset = 0;

/** One record through a door, on a database that may hold its statements. */
async function deliver(door: typeof createDoor | typeof cancelDoor, value: Buffer, db: Queryable = bench.db): Promise<void> {
  const { config, client } = bench;
  const deps = { config, db, temporal: client, hint: () => undefined, producer: fakeProducer(), log: openLog(config, 'test'), fail: () => undefined };
  offset += 1;
  const record = { topic: door.topic, partition: 0, offset: String(offset), key: null, value, headers: {}, rawHeaders: {}, timestamp: 0 };
  const chunk = { topic: door.topic, partition: 0, records: [record], highWatermark: '0', stale: () => false, letNext: () => undefined };
  await takeChunk(deps, { domain: content, door, gate: new Gate(bench.db, content, 1_000) }, chunk);
}

const create = (id: string, db?: Queryable) => deliver(createDoor, created(id), db);
const cancelIt = (id: string, db?: Queryable) => deliver(cancelDoor, cancel(id), db);
const typesOf = (story: readonly StoredFact[]) => story.map(({ type }) => type);
const fateCount = async (topic: string, fate: string) =>
  (await ingressRecords.get()).values.find(({ labels }) => labels.topic === topic && labels.fate === fate)?.value ?? 0;

async function whenOver(id: string): Promise<StoredFact[]> {
  const story = await bench.ended(id);
  await bench.client.workflow.getHandle(`content/${id}`).result();
  expect(await bench.facts(id)).toEqual(story);
  return story;
}

test('a cancel of an unknown task writes no fact, and is kept for its create', async () => {
  const id = randomUUID();
  await cancelIt(id);
  expect(await bench.facts(id)).toEqual([]);
  await expect(bench.client.workflow.getHandle(`content/${id}`).describe()).rejects.toThrow(WorkflowNotFoundError);

  await create(id);
  const [first, second, ...more] = await whenOver(id);
  expect([first?.type, first?.version, second?.type, second?.version, more]).toEqual(['TaskCreated', 1, 'TaskCancelled', 2, []]);
  expect(second?.data).toEqual({ taskId: id, by: 'unknown', reason: 'changed my mind' });
  expect(generated).not.toContain(id);
});

/** Each side has two steps: it commits its row, and then it looks for the other's. */
type Step = 'create writes' | 'create looks' | 'cancel writes' | 'cancel looks';
const ORDERS: readonly (readonly Step[])[] = [
  ['create writes', 'create looks', 'cancel writes', 'cancel looks'],
  ['create writes', 'cancel writes', 'create looks', 'cancel looks'],
  ['create writes', 'cancel writes', 'cancel looks', 'create looks'],
  ['cancel writes', 'create writes', 'create looks', 'cancel looks'],
  ['cancel writes', 'create writes', 'cancel looks', 'create looks'],
  ['cancel writes', 'cancel looks', 'create writes', 'create looks'],
];

test.each(ORDERS)('%s, %s, %s, %s: cancelled', async (...order) => {
  const id = randomUUID();
  const turns = new Turns<Step>(order);
  let release = () => {};
  const held = new Promise<void>((resolve) => (release = resolve));
  around = async (name, _args, run) => {
    if (name === 'generateDraft') await held;
    return run();
  };
  try {
    // The first statement of each side is its writing, whatever it is; the others are its looking.
    await Promise.all([
      create(id, steppedAt(turns, 'create writes', 'create looks')).finally(() => turns.end('create looks')),
      cancelIt(id, steppedAt(turns, 'cancel writes', 'cancel looks')).finally(() => turns.end('cancel looks')),
    ]);
    const story = await whenOver(id);
    expect(typesOf(story).at(-1)).toBe('TaskCancelled');
    expect(typesOf(story)).not.toContain('ContentGenerated');
    if (order.indexOf('cancel writes') < order.indexOf('create looks')) expect(typesOf(story)).toEqual(['TaskCreated', 'TaskCancelled']);
  } finally {
    release();
  }
});

test('a cancel delivered twice, before and after the create, is one TaskCancelled', async () => {
  const id = randomUUID();
  await cancelIt(id);
  await cancelIt(id);
  await create(id);
  await cancelIt(id);
  expect(typesOf(await whenOver(id))).toEqual(['TaskCreated', 'TaskCancelled']);
  await cancelIt(id);
  await create(id);
  expect(typesOf(await whenOver(id))).toEqual(['TaskCreated', 'TaskCancelled']);
});

test('a cancel of a task that is being generated ends it, twice or not', async () => {
  const id = randomUUID();
  let release = () => {};
  const held = new Promise<void>((resolve) => (release = resolve));
  around = async (name, _args, run) => (name === 'generateDraft' ? held.then(run) : run());
  try {
    await create(id);
    await until(() => generated.includes(id), 'the model is asked');
    await Promise.all([cancelIt(id), cancelIt(id)]);
    expect(typesOf(await whenOver(id))).toEqual(['TaskCreated', 'TaskAssigned', 'TaskCancelled']);
  } finally {
    release();
  }
});

test('a cancel of a finished task changes nothing, and is filtered', async () => {
  const id = randomUUID();
  await create(id);
  const story = await whenOver(id);
  expect(typesOf(story).at(-1)).toBe('ContentStored');
  const view = async () => (await bench.db.query('SELECT * FROM task_view WHERE id = $1', [id])).rows as unknown[];
  const [row, run, filtered] = [await view(), await bench.client.workflow.getHandle(`content/${id}`).describe(), await fateCount('task.cancel', 'filtered')];

  await cancelIt(id);
  expect(await fateCount('task.cancel', 'filtered')).toBe(filtered + 1);
  expect(await bench.facts(id)).toEqual(story);
  expect(await view()).toEqual(row);
  expect((await bench.client.workflow.getHandle(`content/${id}`).describe()).runId).toBe(run.runId);
});

/** Lets named pieces of work happen one after the other in a given order; what has had its turn runs freely. */
class Turns<Name extends string> {
  private readonly over = new Map<Name, { promise: Promise<void>; resolve: () => void }>();

  constructor(private readonly order: readonly Name[]) {
    for (const name of order) {
      let resolve = () => {};
      const promise = new Promise<void>((done) => (resolve = done));
      this.over.set(name, { promise, resolve });
    }
  }

  async begin(name: Name): Promise<void> {
    const before = this.order[this.order.indexOf(name) - 1];
    if (before !== undefined) await this.over.get(before)?.promise;
  }

  end(name: Name): void {
    this.over.get(name)?.resolve();
  }

  async take<Result>(name: Name, work: () => Promise<Result>): Promise<Result> {
    await this.begin(name);
    return await work().finally(() => this.end(name));
  }
}

/** The database of one side: its first statement is its writing, and from the second on it looks. */
function steppedAt(turns: Turns<Step>, writes: Step, looks: Step): Queryable {
  let statements = 0;
  return {
    async query(text: string, values?: unknown[]) {
      statements += 1;
      if (statements === 1) return await turns.take(writes, () => bench.db.query(text, values));
      if (statements === 2) await turns.begin(looks);
      return await bench.db.query(text, values);
    },
  };
}
