import type { Client } from '@temporalio/client';
import { Gauge } from 'prom-client';
import { domains } from '../../workflows/domains';
import type { Config } from '../config';
import { registry } from '../metrics';
import type { Look } from './observer';

const backlog = new Gauge({
  name: 'fazenda_temporal_backlog_tasks',
  help: 'Tasks that wait on a task queue for a worker, as Temporal estimates; those that are sticky to one are not in it',
  labelNames: ['queue', 'type'] as const,
  registers: [registry],
});
const backlogAge = new Gauge({
  name: 'fazenda_temporal_backlog_seconds',
  help: 'Age of the task that waits longest on a task queue',
  labelNames: ['queue', 'type'] as const,
  registers: [registry],
});

const EVERY_MS = 10_000;
const ANSWERS_MS = 2_000;
/** Numbers of the protocol: https://github.com/temporalio/api/blob/master/temporal/api/enums/v1/task_queue.proto */
const TYPES = { workflow: 1, activity: 2 } as const;

/** What waits on our task queues. Workers tell how long their tasks waited; where there is no worker, only the server knows. */
export function taskQueuesLook({ TEMPORAL_NAMESPACE, TEMPORAL_TASK_QUEUE }: Config, { connection }: Client): Look {
  const queues = [
    { queue: TEMPORAL_TASK_QUEUE, type: 'workflow' as const },
    ...domains.flatMap(({ activityQueues = [] }) => activityQueues.map((queue) => ({ queue, type: 'activity' as const }))),
  ];

  async function look(): Promise<void> {
    for (const { queue, type } of queues) {
      const { stats } = await connection.withDeadline(Date.now() + ANSWERS_MS, () =>
        connection.workflowService.describeTaskQueue({ namespace: TEMPORAL_NAMESPACE, taskQueue: { name: queue }, taskQueueType: TYPES[type], reportStats: true }));
      backlog.set({ queue, type }, Number(stats?.approximateBacklogCount ?? 0));
      backlogAge.set({ queue, type }, Number(stats?.approximateBacklogAge?.seconds ?? 0));
    }
  }
  return { name: 'task-queues', everyMs: EVERY_MS, look, forget: () => [backlog, backlogAge].forEach((gauge) => gauge.reset()) };
}
