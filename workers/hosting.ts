import type { Pool } from 'pg';
import { createActivities, type Activities } from '../activities';
import { textOf } from '../src/errors';
import { openHint, type Hint } from '../src/facts/hint';
import { openPool } from '../src/facts/postgres';
import { KnownStories } from '../src/logging/known-stories';
import { labelProcess, serveMetrics } from '../src/metrics';
import { untilItWorks, type Running } from '../src/process';
import { openObjectStore } from '../src/storage/s3';
import { connectTemporal, type Temporal } from '../src/temporal/connect';
import { sdkMetrics } from '../src/temporal/sdk-metrics';
import { installRuntime } from '../src/temporal/worker';
import type { Worker } from '@temporalio/worker';

/** What every process that runs stories or their effects has open. */
export interface Host extends Temporal {
  readonly db: Pool;
  readonly hint: Hint;
  readonly activities: Activities;
}

/** Connects to the stores, waiting for those that are not there yet. */
export async function openHost(name: string, { config, log, onStop }: Running): Promise<Host> {
  await openMetrics(name, { config, onStop });
  const db = openPool(config, name);
  onStop(() => db.end());
  installRuntime(log, config.TEMPORAL_SDK_METRICS ? await sdkMetrics(name) : undefined, new KnownStories(db));
  const store = openObjectStore(config);
  onStop(() => store.close());
  const temporal = await untilItWorks(log, 'Temporal', () => connectTemporal(config));
  onStop(() => temporal.connection.close());
  const hint = openHint(db, (trouble) => log.debug({ cause: textOf(trouble) }, 'a relay was not woken'));
  const activities = createActivities({ config, log, db, store, temporal: temporal.client, hint });
  return { ...temporal, db, hint, activities };
}

export async function openMetrics(name: string, { config, onStop }: Pick<Running, 'config' | 'onStop'>): Promise<void> {
  labelProcess(name);
  const server = await serveMetrics(config.METRICS_PORT);
  onStop(() => server.close());
}

/** Runs a worker until the process stops; a worker that ends by itself ends the process. */
export function runWorker(worker: Worker, { onStop, fail }: Pick<Running, 'onStop' | 'fail'>): void {
  const running = worker.run();
  running.catch(fail);
  onStop(async () => {
    if (worker.getState() === 'RUNNING') worker.shutdown();
    await running;
  });
}
