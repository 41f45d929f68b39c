import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { workflowId } from '../src/facts/identity';
import { startOwnWorkflow } from '../src/temporal/start';
import { content } from '../workflows/content/definition';
import { openBench, type Bench } from './setup/bench';
import { compiled, workflowBundle } from './setup/compiled';
import { PARTS_TIMEOUT_MS } from './setup/stack';
import { until } from './setup/until';

/**
 * Stories whose workers are killed before and after each thing that a story does, one life after the other: no fact
 * that was stored ever changes, and each story is told once. They share the points, each in a namespace of its own,
 * because most of a life is spent waiting until Temporal knows that the one before is over.
 */

let bench: Bench;
beforeAll(async () => (bench = await openBench({ WORKFLOW_BUNDLE: await workflowBundle(), TEMPORAL_WORKFLOW_TASK_TIMEOUT_MS: '1000' })), PARTS_TIMEOUT_MS);
afterAll(() => bench.close());

const POINTS = [
  ['openStories 1', 'assignAgents 2', 'recordFacts 2'],
  ['generateDraft 3', 'recordFacts 3', 'judgeDrafts 4'],
  ['recordFacts 4', 'storeContents 5', 'recordFacts 5'],
];

/** Lives through the deaths, in their order, and to the end. */
async function live(one: Bench, deaths: readonly string[], folder: string): Promise<void> {
  const stored: string[] = [];
  const id = await one.begin();
  if (deaths.some((death) => death.includes('openStories'))) await startAnew(one, id);
  for (const death of [...deaths, 'never']) {
    const worker = spawn(process.execPath, [join(folder, 'test/setup/mortal-worker.js')], { env: { ...process.env, ...one.env, DIES_AT: death }, stdio: 'ignore' });
    let signal: string | null | undefined;
    worker.once('exit', (_code, by) => (signal = by));
    if (death === 'never') {
      await one.ended(id);
      worker.kill('SIGTERM');
    } else {
      await until(() => signal !== undefined, `the worker died ${death}`, 60_000);
      expect([death, signal]).toEqual([death, 'SIGKILL']);
    }
    const now = (await one.facts(id)).map((fact) => JSON.stringify({ ...fact, publishedAt: null }));
    expect(now.slice(0, stored.length)).toEqual(stored);
    stored.splice(0, stored.length, ...now);
  }
  expect((await one.facts(id)).map(({ type }) => type)).toEqual(['TaskCreated', 'TaskAssigned', 'ContentGenerated', 'ContentValidated', 'ContentStored']);
}

/** As the sweeper starts a story: nothing is handed over with it. */
async function startAnew({ client, config, facts }: Bench, id: string): Promise<void> {
  await client.workflow.getHandle(workflowId(content.name, id)).terminate('to be started anew');
  const [first] = await facts(id);
  await startOwnWorkflow(client, config, content, first!);
}

test(`stories killed at ${POINTS.flat().length * 2} points are the stories of those that were not`, async () => {
  const folder = await compiled();
  const benches = await Promise.all(POINTS.map((_, at) => (at === 0 ? bench : bench.emptyNamespace())));
  try {
    await Promise.all(POINTS.map((points, at) => live(benches[at]!, points.flatMap((point) => [`before ${point}`, `after ${point}`]), folder)));
  } finally {
    for (const other of benches.slice(1)) await other.close();
  }
}, 300_000);
