import { createActivities } from '../../activities';
import { readConfig } from '../../src/config';
import { openPool } from '../../src/facts/postgres';
import { openLog } from '../../src/log';
import { openObjectStore } from '../../src/storage/s3';
import { connectTemporal } from '../../src/temporal/connect';
import { installRuntime, openActivityWorker, openWorkflowWorker } from '../../src/temporal/worker';
import { GENERATOR_QUEUE } from '../../workflows/content/queue';
import { wrapped } from './around';

/**
 * A worker and an agent in one process that kills itself, with signal 9, at the point that DIES_AT names:
 * `before recordFacts 3` is the moment at which version 3 is about to be recorded.
 */
async function main(): Promise<void> {
  const config = readConfig();
  installRuntime(openLog(config, 'mortal'));
  const { connection, client } = await connectTemporal(config);
  const activities = createActivities({ config, db: openPool(config, 'mortal'), store: openObjectStore(config), temporal: client, hint: () => undefined });
  const mortal = wrapped(activities, async (name, args, run) => {
    const point = `${name} ${versionIn(args)}`;
    dieAt(`before ${point}`);
    const answer = await run();
    dieAt(`after ${point}`);
    return answer;
  });
  const workers = await Promise.all([
    openWorkflowWorker(config, connection, mortal),
    openActivityWorker(config, connection, { generateDraft: mortal.generateDraft }, { name: GENERATOR_QUEUE, capacity: 10, perSecondMax: 1_000 }),
  ]);
  await Promise.all(workers.map((worker) => worker.run()));
}

function dieAt(point: string): void {
  if (process.env.DIES_AT === point) process.kill(process.pid, 'SIGKILL');
}

/** The version that a call serves; 1 for the look that opens a story. */
function versionIn(args: readonly unknown[]): number {
  const keyed = args.flat().find((arg): arg is { version: number } => typeof arg === 'object' && arg !== null && 'version' in arg);
  return keyed?.version ?? 1;
}

void main();
