import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import type { TelemetryOptions } from '@temporalio/worker';
import { addPage } from '../metrics';

/** The SDK's own page is in this process: it answers at once, or something is wrong, ms. */
const ANSWERS_MS = 500;

/** Seconds to which the times of the SDK are sorted; its own buckets are in milliseconds and many. */
const BUCKETS_S = [0.005, 0.02, 0.1, 0.5, 1, 5, 30];
const HISTOGRAMS = [
  'request_latency', 'long_request_latency', 'workflow_endtoend_latency', 'workflow_task_schedule_to_start_latency', 'workflow_task_execution_latency',
  'workflow_task_replay_latency', 'activity_schedule_to_start_latency', 'activity_execution_latency', 'activity_succeed_endtoend_latency',
  'local_activity_execution_latency', 'local_activity_succeed_endtoend_latency', 'local_activity_endtoend_latency',
];

/**
 * Has the SDK keep its metrics, which it does natively, and puts them on the page of this process. It serves them
 * itself on a port of loopback that it is told; nobody else needs to know it.
 */
export async function sdkMetrics(process: string): Promise<NonNullable<TelemetryOptions['metrics']>> {
  const address = `127.0.0.1:${await freePort()}`;
  addPage(async () => await (await fetch(`http://${address}/metrics`, { signal: AbortSignal.timeout(ANSWERS_MS) })).text());
  return {
    globalTags: { process },
    attachServiceName: false,
    prometheus: {
      bindAddress: address,
      countersTotalSuffix: true,
      unitSuffix: true,
      useSecondsForDurations: true,
      histogramBucketOverrides: Object.fromEntries(HISTOGRAMS.map((name) => [name, BUCKETS_S])),
    },
  };
}

/** The SDK cannot be told "any" and asked which. */
async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
