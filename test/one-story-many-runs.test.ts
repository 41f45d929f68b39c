import { Context } from '@temporalio/activity';
import { content } from '../workflows/content/definition';
import { sweep } from '../src/sweeper/sweeper';
import { workflowId } from '../src/facts/identity';
import { openLog } from '../src/log';
import type { StoredFact } from '../src/facts/read';
import type { Proposal } from '../workflows/kernel/recording';
import { openBench, type Bench } from './setup/bench';

/**
 * The central claim: whatever happens to the runs of a story, its facts are one story. They are compared
 * byte for byte with those that were stored before the harm was done.
 */

let bench: Bench;
beforeAll(async () => (bench = await openBench()));
afterAll(() => bench.close());

const SHORT = 'too short';
const LONG = 'A long enough draft, word after word after word. '.repeat(8);
/** Two attempts: one that breaks a rule, one that keeps them all. */
const TWO_ATTEMPTS = { drafts: [SHORT, LONG] };
const TWO_ATTEMPTS_TOLD = [
  'TaskCreated', 'TaskAssigned', 'ContentGenerated', 'ValidationFailed', 'TaskAssigned', 'ContentGenerated', 'ContentValidated', 'ContentStored',
];

const typesOf = (story: readonly StoredFact[]) => story.map((fact) => fact.type);
/** Everything a reader of the topic could see of a fact. */
const bytesOf = ({ ceId, type, version, payload, at, correlationId, causationId }: StoredFact) =>
  JSON.stringify({ ceId, type, version, payload, at, correlationId, causationId });

async function resultOf(b: Bench, id: string): Promise<unknown> {
  return b.client.workflow.getHandle(workflowId('content', id)).result();
}

test('a story that is reset to each of its workflow tasks keeps its facts', async () => {
  const workers = await bench.startWorkers();
  try {
    const id = await bench.begin(TWO_ATTEMPTS);
    const before = await bench.ended(id);
    expect(typesOf(before)).toEqual(TWO_ATTEMPTS_TOLD);
    await resultOf(bench, id);

    const handle = bench.client.workflow.getHandle(workflowId('content', id));
    const { runId } = await handle.describe();
    const history = await handle.fetchHistory();
    const tasks = (history.events ?? []).filter((event) => event.workflowTaskCompletedEventAttributes);
    expect(tasks.length).toBeGreaterThan(2);
    for (const { eventId } of tasks) {
      const reset = await bench.client.workflowService.resetWorkflowExecution({
        namespace: bench.config.TEMPORAL_NAMESPACE,
        workflowExecution: { workflowId: workflowId('content', id), runId },
        reason: 'test', requestId: `reset-${String(eventId)}`, workflowTaskFinishEventId: eventId!,
      });
      const again = bench.client.workflow.getHandle(workflowId('content', id), reset.runId);
      expect(await again.result()).toEqual({ status: 'completed', version: before.length });
      expect((await bench.facts(id)).map(bytesOf)).toEqual(before.map(bytesOf));
    }
  } finally {
    await workers.stop();
  }
});

test('a finished story and a half-told one go on in an empty namespace', async () => {
  const first = await bench.startWorkers(async (name, args, run) => {
    if (name === 'generateDraft' && (args[0] as { attempt: number }).attempt === 2) throw new Error('held here');
    return run();
  });
  const half = await bench.begin(TWO_ATTEMPTS);
  await until(async () => (await bench.facts(half)).length === 5);
  await first.stop();
  const told = (await bench.facts(half)).map(bytesOf);

  const second = await bench.emptyNamespace();
  const workers = await second.startWorkers();
  try {
    expect(await sweepNow(second)).toBe(1);
    const story = await second.ended(half);
    expect(typesOf(story)).toEqual(TWO_ATTEMPTS_TOLD);
    expect(story.slice(0, 5).map(bytesOf)).toEqual(told);

    // The finished one, started once more where nobody knows it: it ends at once and tells nothing new.
    await second.client.workflow.start('contentWorkflow', { workflowId: workflowId('content', half), taskQueue: second.config.TEMPORAL_TASK_QUEUE, args: [half], workflowIdConflictPolicy: 'USE_EXISTING' });
    expect(await resultOf(second, half)).toEqual({ status: 'completed', version: story.length });
    expect((await second.facts(half)).map(bytesOf)).toEqual(story.map(bytesOf));
  } finally {
    await workers.stop();
    await second.close();
  }
});

test('a story whose run was terminated half way is swept up and told to its end', async () => {
  let hold = true;
  const workers = await bench.startWorkers(async (name, _args, run) => {
    if (hold && name === 'generateDraft') throw new Error('held here');
    return run();
  });
  try {
    const id = await bench.begin(TWO_ATTEMPTS);
    await until(async () => (await bench.facts(id)).length === 2);
    await bench.client.workflow.getHandle(workflowId('content', id)).terminate('test');
    const told = (await bench.facts(id)).map(bytesOf);
    hold = false;
    await until(async () => (await sweepNow(bench)) >= 0 && (await bench.facts(id)).length > 2);
    const story = await bench.ended(id);
    expect(typesOf(story)).toEqual(TWO_ATTEMPTS_TOLD);
    expect(story.slice(0, 2).map(bytesOf)).toEqual(told);
  } finally {
    await workers.stop();
  }
});

test('twenty stories, each run twice at once, are each told once', async () => {
  const workers = await bench.startWorkers();
  try {
    const ids = await Promise.all(Array.from({ length: 20 }, () => bench.begin(TWO_ATTEMPTS)));
    const twins = await Promise.all(
      ids.map((id) => bench.client.workflow.start('contentWorkflow', { workflowId: `twin-of-${id}`, taskQueue: bench.config.TEMPORAL_TASK_QUEUE, args: [id] })),
    );
    for (const [index, id] of ids.entries()) {
      const story = await bench.ended(id);
      const ending = { status: 'completed', version: TWO_ATTEMPTS_TOLD.length };
      expect(await resultOf(bench, id)).toEqual(ending);
      expect(await twins[index]?.result()).toEqual(ending);
      expect((await bench.facts(id)).map(bytesOf)).toEqual(story.map(bytesOf));
      expect(typesOf(story)).toEqual(TWO_ATTEMPTS_TOLD);
    }
  } finally {
    await workers.stop();
  }
});

test('a cancelled run and a run that knows nothing of the cancel end with one ending', async () => {
  let release = () => {};
  const held = new Promise<void>((resolve) => (release = resolve));
  let generating = 0;
  const workers = await bench.startWorkers(async (name, _args, run) => {
    if (name === 'generateDraft') {
      generating += 1;
      await held;
    }
    return run();
  });
  try {
    const id = await bench.begin(TWO_ATTEMPTS);
    const twin = await bench.client.workflow.start('contentWorkflow', { workflowId: `twin-of-${id}`, taskQueue: bench.config.TEMPORAL_TASK_QUEUE, args: [id] });
    await until(async () => generating === 2);
    await bench.cancel(id, 'changed my mind');
    const story = await bench.ended(id);
    release();
    expect(await twin.result()).toEqual({ status: 'cancelled', version: 3 });
    expect(typesOf(story)).toEqual(['TaskCreated', 'TaskAssigned', 'TaskCancelled']);
    expect(story.at(-1)?.causationId).toBe(`cancel-of-${id}`);
    expect((await bench.facts(id)).map(bytesOf)).toEqual(story.map(bytesOf));
  } finally {
    await workers.stop();
  }
});

test('a run that is about to tell something else adopts what was told in its place', async () => {
  let release = () => {};
  const held = new Promise<void>((resolve) => (release = resolve));
  let waiting = false;
  const workers = await bench.startWorkers(async (name, args, run) => {
    const inTwin = Context.current().info.workflowExecution?.workflowId.startsWith('twin');
    if (!inTwin && name === 'generateDraft') await held;
    if (inTwin && name === 'recordFacts' && (args[1] as Proposal[])[0]?.fact.type === 'ContentGenerated') {
      waiting = true;
      await held;
    }
    return run();
  });
  try {
    const id = await bench.begin(TWO_ATTEMPTS);
    const twin = await bench.client.workflow.start('contentWorkflow', { workflowId: `twin-of-${id}`, taskQueue: bench.config.TEMPORAL_TASK_QUEUE, args: [id] });
    await until(async () => waiting);
    await bench.cancel(id);
    const story = await bench.ended(id);
    release();
    expect(await twin.result()).toEqual({ status: 'cancelled', version: 3 });
    expect(typesOf(await bench.facts(id))).toEqual(['TaskCreated', 'TaskAssigned', 'TaskCancelled']);
    expect((await bench.facts(id)).map(bytesOf)).toEqual(story.map(bytesOf));
  } finally {
    await workers.stop();
  }
});

test('a database that forgot the end of a story is told it again by the run that knows it', async () => {
  let forget = async () => {};
  const workers = await bench.startWorkers(async (name, args, run) => {
    if (name === 'judgeDrafts') await forget();
    return run();
  });
  try {
    let forgotten: string[] = [];
    const id = await bench.begin({ drafts: [LONG] });
    forget = async () => {
      if (forgotten.length > 0) return;
      forgotten = (await bench.facts(id)).map(bytesOf);
      await bench.db.query(`DELETE FROM facts WHERE aggregate_id = $1 AND version > 1`, [id]);
    };
    const story = await bench.ended(id);
    expect(typesOf(story)).toEqual(['TaskCreated', 'TaskAssigned', 'ContentGenerated', 'ContentValidated', 'ContentStored']);
    expect(story.slice(0, 3).map(bytesOf)).toEqual(forgotten);
  } finally {
    await workers.stop();
  }
});

function sweepNow(b: Bench): Promise<number> {
  return sweep({ config: { ...b.config, STUCK_AFTER_MS: 1 }, db: b.db, temporal: b.client, log: openLog(b.config, 'sweeper') }, content);
}

async function until(condition: () => Promise<boolean>): Promise<void> {
  while (!(await condition())) await new Promise((resolve) => setTimeout(resolve, 50));
}
