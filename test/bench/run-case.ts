import { Connection } from '@temporalio/client';
import { Kafka, logLevel, type Admin } from 'kafkajs';
import { setTimeout as sleep } from 'node:timers/promises';
import { cpuMsByTree } from './cpu';
import { startEntrant, type EntrantName, type EntrantOptions, type RunningEntrant } from './entrants';
import { endOf, JOBS, type Job } from './jobs';
import { count, quantile, type Count } from './judge';
import { openLoader, putLoad, type Load } from './load';
import { openStage, type Stage } from './stage';

export interface Case {
  readonly entrant: EntrantName;
  readonly job: Job['name'];
  readonly load: Load;
  /** Kill -9 of all of the entrant's processes when a third, and when two thirds, are done. */
  readonly kills: boolean;
}

export interface CaseOptions extends EntrantOptions {
  /** Pieces of work before the measured ones, so that nobody's first seconds are measured. */
  readonly warmUp: number;
}

export interface Result extends Omit<Count, 'latenciesMs' | 'spanMs'> {
  readonly of: number;
  /** Workflows that Temporal ran for it; fewer than `of` where several pieces of work shared one. */
  readonly workflows: number;
  /** Undefined where the count is not exact: a speed without one says nothing. */
  readonly speed?: { readonly perSecond: number; readonly p50Ms: number; readonly p99Ms: number };
  /** CPU a piece of work, ms, all parts and each; undefined where a part is not ours, or something was killed. */
  readonly cpuMs?: { readonly total: number; readonly by: Readonly<Record<string, number>> };
}

const LOOK_EVERY_MS = 100;
/** Temporal's list of workflows lags behind the workflows by less than this. */
const COUNT_SETTLES_MS = 1_000;
const PACED_WARM_UP_S = 5;
/** Longer than the sweeper takes to notice a story that nobody runs: 60 s and 15 s. */
const PATIENCE_MS = 120_000;

/** Runs one case on a stage of its own, from an empty broker to the judge's count. */
export async function runCase(one: Case, options: CaseOptions, env: NodeJS.ProcessEnv, say: (text: string) => void, signal: AbortSignal): Promise<Result> {
  const job = JOBS[one.job];
  const stage = await openStage(env, say, signal);
  try {
    await job.seed(stage.db);
    const entrant = await startEntrant(one.entrant, stage, options);
    try {
      return await measure(one, job, stage, entrant, options);
    } finally {
      await entrant.stop();
    }
  } finally {
    await stage.close();
  }
}

async function measure({ load, kills }: Case, job: Job, stage: Stage, entrant: RunningEntrant, { warmUp }: CaseOptions): Promise<Result> {
  const producer = await openLoader(stage.brokers);
  const admin = new Kafka({ clientId: 'bench', brokers: stage.brokers.split(','), logLevel: logLevel.NOTHING }).admin();
  await admin.connect();
  try {
    let before = 0;
    for (const one of warmingUp(load, warmUp)) {
      await putLoad(producer, job, stage.prefix, one);
      before += one.count;
      await untilDone(admin, stage, job, before);
    }

    const workflowsBefore = await workflowsOf(stage);
    const roots = stage.roots && { ...stage.roots, ...entrant.roots };
    const cpuBefore = roots && cpuMsByTree(roots);
    const loading = putLoad(producer, job, stage.prefix, load);
    const thirds = kills ? [1 / 3, 2 / 3].map((share) => before + load.count * share) : [];
    const done = untilDone(admin, stage, job, before + load.count, (finished) => {
      if (finished < (thirds[0] ?? Infinity)) return;
      thirds.shift();
      entrant.killAll();
    });
    // Whichever fails first ends both.
    const [ids] = await Promise.all([loading, done]);
    const after = roots && !kills ? cpuMsByTree(roots) : undefined;
    const { latenciesMs, spanMs, ...counts } = await count(stage.brokers, stage.prefix, job, ids);
    return {
      ...counts,
      of: ids.length,
      workflows: (await workflowsOf(stage)) - workflowsBefore,
      ...(counts.exact === ids.length && {
        speed: { perSecond: (ids.length * 1_000) / spanMs, p50Ms: quantile(latenciesMs, 0.5), p99Ms: quantile(latenciesMs, 0.99) },
      }),
      ...(cpuBefore && after && { cpuMs: cpuOf(cpuBefore, after, ids.length) }),
    };
  } finally {
    await Promise.all([producer.disconnect(), admin.disconnect()]);
  }
}

/** A burst, and before a paced load some seconds of that one too: who comes alone may take another way than who comes with many. */
function warmingUp(load: Load, count: number): Load[] {
  const burst: Load = { kind: 'burst', count };
  return load.kind === 'burst' ? [burst] : [burst, { ...load, count: Math.min(count, load.perSecond * PACED_WARM_UP_S) }];
}

/** Waits until so many pieces of work have told their last fact, or none has for so long that none will. */
async function untilDone(admin: Admin, { prefix }: Stage, job: Job, wanted: number, onProgress: (finished: number) => void = () => undefined): Promise<void> {
  const { topic, each } = endOf(job);
  let finished = 0;
  for (let movedAt = Date.now(); finished < wanted && Date.now() - movedAt < PATIENCE_MS; await sleep(LOOK_EVERY_MS)) {
    const offsets = await admin.fetchTopicOffsets(`${prefix}${topic}`);
    const now = offsets.reduce((sum, { high }) => sum + Number(high), 0) / each;
    if (now > finished) movedAt = Date.now();
    finished = now;
    onProgress(finished);
  }
}

/** Workflows of the case's namespace so far. Temporal counts with a delay: asked until it has said the same for a while. */
async function workflowsOf({ env }: Stage): Promise<number> {
  const connection = await Connection.connect({ address: env.TEMPORAL_ADDRESS ?? '' });
  const ask = async (): Promise<number> => Number((await connection.workflowService.countWorkflowExecutions({ namespace: env.TEMPORAL_NAMESPACE ?? '' })).count);
  try {
    for (let said = await ask(); ; ) {
      await sleep(COUNT_SETTLES_MS);
      const again = await ask();
      if (again === said) return said;
      said = again;
    }
  } finally {
    await connection.close();
  }
}

function cpuOf(before: Readonly<Record<string, number>>, after: Readonly<Record<string, number>>, stories: number): NonNullable<Result['cpuMs']> {
  const by = Object.fromEntries(Object.entries(after).map(([name, ms]) => [name, (ms - (before[name] ?? 0)) / stories]));
  return { total: Object.values(by).reduce((sum, ms) => sum + ms, 0), by };
}
