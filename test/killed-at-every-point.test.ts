import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { workflowId } from '../src/facts/identity';
import { openLog } from '../src/log';
import { sweep } from '../src/sweeper/sweeper';
import { content } from '../workflows/content/definition';
import { openBench, type Bench } from './setup/bench';
import { compiled, workflowBundle } from './setup/compiled';
import { PARTS_TIMEOUT_MS } from './setup/stack';
import { until } from './setup/until';

/**
 * One story, whose worker is killed before and after each thing that it does, one life after the other:
 * no fact that was stored ever changes, and the story is told once.
 */

let bench: Bench;
beforeAll(async () => (bench = await openBench({ WORKFLOW_BUNDLE: await workflowBundle(), TEMPORAL_WORKFLOW_TASK_TIMEOUT_MS: '1000' })), PARTS_TIMEOUT_MS);
afterAll(() => bench.close());

const POINTS = ['openStories 1', 'assignAgents 2', 'recordFacts 2', 'generateDraft 3', 'recordFacts 3', 'judgeDrafts 4', 'recordFacts 4', 'storeContents 5', 'recordFacts 5'];
const DEATHS = POINTS.flatMap((point) => [`before ${point}`, `after ${point}`]);

async function beginAnew(id: string): Promise<void> {
  await bench.client.workflow.getHandle(workflowId(content.name, id)).terminate('test');
  await sweep({ config: { ...bench.config, STUCK_AFTER_MS: 1 }, db: bench.db, temporal: bench.client, log: openLog(bench.config, 'sweeper') }, content);
}

test(`a story killed at ${DEATHS.length} points is the story of one that was not`, async () => {
  const folder = await compiled();
  const stored: string[] = [];
  const id = await bench.begin();

  for (const death of [...DEATHS, 'never']) {
    // Temporal puts off a task that failed ten times in a row; a run that begins anew has failed none.
    if (death === 'before storeContents 5') await beginAnew(id);
    const worker = spawn(process.execPath, [join(folder, 'test/setup/mortal-worker.js')], { env: { ...process.env, ...bench.env, DIES_AT: death }, stdio: 'ignore' });
    let signal: string | null | undefined;
    worker.once('exit', (_code, by) => (signal = by));
    if (death === 'never') {
      await bench.ended(id);
      worker.kill('SIGTERM');
    } else {
      await until(() => signal !== undefined, `the worker died ${death}`, 60_000);
      expect([death, signal]).toEqual([death, 'SIGKILL']);
    }
    const now = (await bench.facts(id)).map((fact) => JSON.stringify({ ...fact, publishedAt: null }));
    expect(now.slice(0, stored.length)).toEqual(stored);
    stored.splice(0, stored.length, ...now);
  }

  const story = await bench.facts(id);
  expect(story.map((fact) => fact.type)).toEqual(['TaskCreated', 'TaskAssigned', 'ContentGenerated', 'ContentValidated', 'ContentStored']);
}, 300_000);
