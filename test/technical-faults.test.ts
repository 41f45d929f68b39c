import { openDrafts, type Drafts } from '../activities/drafts';
import { localModel } from '../activities/model/local';
import { scriptedModel } from '../activities/model/scripted';
import type { Model } from '../activities/model/port';
import { modelActivities } from '../activities/models';
import { FazendaError } from '../src/errors';
import type { StoredFact } from '../src/facts/read';
import { openObjectStore } from '../src/storage/s3';
import { openActivityWorker, openWorkflowWorker } from '../src/temporal/worker';
import { GENERATOR_QUEUE } from '../workflows/content/queue';
import { openBench, type Bench } from './setup/bench';
import { PARTS_TIMEOUT_MS } from './setup/stack';

/** On a real Temporal: technical faults never use up an attempt, and end it only at its deadline. */

const MODEL_DEADLINE_MS = 4_000;

let bench: Bench;
beforeAll(async () => (bench = await openBench({ MODEL_DEADLINE: String(MODEL_DEADLINE_MS) })), PARTS_TIMEOUT_MS);
afterAll(() => bench.close());

const typesOf = (story: readonly StoredFact[]) => story.map((fact) => fact.type);
const GOOD = 'A long enough draft, word after word after word. '.repeat(8);

/** Runs a story with the model calls counted and, where `put` is given, drafts put away by it. */
async function run(variables: Record<string, unknown>, put?: (text: string, real: Drafts) => ReturnType<Drafts['put']>) {
  const { config, db, connection, activities } = bench;
  let calls = 0;
  const counting = (model: Model): Model => ({
    generate(request) {
      calls += 1;
      return model.generate(request);
    },
  });
  const store = openObjectStore(config);
  const real = openDrafts(store);
  const drafts: Drafts = put ? { ...real, put: (text) => put(text, real) } : real;
  const models = new Map([['scripted', counting(scriptedModel)], ['local', counting(localModel)]]);
  const { generateDraft } = modelActivities({ config, db, drafts, models });
  const workers = await Promise.all([
    openWorkflowWorker(config, connection, activities),
    openActivityWorker(config, connection, { generateDraft }, { name: GENERATOR_QUEUE, capacity: 10, perSecondMax: 1_000 }),
  ]);
  const running = workers.map((worker) => worker.run());
  try {
    const id = await bench.begin(variables);
    const story = await bench.ended(id);
    return { story, calls };
  } finally {
    for (const worker of workers) worker.shutdown();
    await Promise.all(running);
    store.close();
  }
}

test('a model that fails twice and then answers has used one attempt', async () => {
  const { story, calls } = await run({ drafts: [{ error: 'overloaded', times: 2, draft: GOOD }] });
  expect(typesOf(story)).toEqual(['TaskCreated', 'TaskAssigned', 'ContentGenerated', 'ContentValidated', 'ContentStored']);
  expect(story[2]?.data).toMatchObject({ attempt: 1, model: 'scripted' });
  expect(calls).toBe(3);
});

test('a model that never answers fails its task at the deadline, after one last try there', async () => {
  const { story, calls } = await run({ drafts: [{ error: 'overloaded', times: 1_000 }] });
  expect(typesOf(story)).toEqual(['TaskCreated', 'TaskAssigned', 'TaskFailed']);
  expect(story[2]?.data).toMatchObject({ reason: 'technical', attempts: 1 });
  // Tries at 0, 1 and 3 s, and the last at 4 s; fewer on a slow machine, never more.
  expect(calls).toBeLessThanOrEqual(4);
  expect(calls).toBeGreaterThan(1);
  expect(Date.parse(story[2]?.at ?? '') - Date.parse(story[1]?.at ?? '')).toBeGreaterThanOrEqual(MODEL_DEADLINE_MS);
});

test('a store that is away past the deadline fails nobody, and the model is asked once', async () => {
  const until = Date.now() + MODEL_DEADLINE_MS + 1_000;
  const { story, calls } = await run({}, async (text, real) => {
    if (Date.now() < until) throw new FazendaError('FZ_STORAGE_AWAY', 'the store is away');
    return real.put(text);
  });
  expect(typesOf(story)).toEqual(['TaskCreated', 'TaskAssigned', 'ContentGenerated', 'ContentValidated', 'ContentStored']);
  expect(calls).toBe(1);
});
