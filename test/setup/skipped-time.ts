import { randomUUID } from 'node:crypto';
import type { WorkflowHandle } from '@temporalio/client';
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import { Worker } from '@temporalio/worker';
import { workflowId } from '../../src/facts/identity';
import { Endings } from '../../src/temporal/endings';
import { content } from '../../workflows/content/definition';
import type { ContentFact } from '../../workflows/content/lifecycle';
import { GENERATOR_QUEUE } from '../../workflows/content/queue';
import type { contentWorkflow } from '../../workflows/content/workflow';
import { mailSignal } from '../../workflows/kernel/carry';
import type { Mail } from '../../workflows/kernel/fact';
import { FakeActivities } from './fake-activities';
import { openSkippedServer } from './skipped-server';
import { until } from './until';

const QUEUE = 'skipped-time';

/** Stories on a server whose clock jumps over waits; a fresh one for each file, as it takes one test at a time. */
export interface SkippedTime {
  /** A story whose fact 1 is told, its stores empty but for that; `created` changes what fact 1 says. */
  begin(created?: object): Promise<SkippedStory>;
  close(): Promise<void>;
}

export interface SkippedStory {
  readonly id: string;
  readonly stores: FakeActivities;
  /** Starts the workflow named after the task, and its workers. */
  start(): Promise<void>;
  /** Signals a cancel and waits until the workflow has been given it. */
  cancel(): Promise<void>;
  /** Lets time skip until the workflow is over: what it answered, and every stored fact. */
  ended(): Promise<{ result: unknown; facts: ContentFact[] }>;
}

export const CANCEL: Mail = { id: 'cancel-1', type: 'cancel', data: { by: 'ana', reason: 'changed my mind' } };

export async function openSkippedTime(): Promise<SkippedTime> {
  const { environment, codePath } = await openSkippedServer();
  return {
    async begin(created = {}) {
      const id = randomUUID();
      const stores = new FakeActivities(content.limits(content.settings.parse({})), () => environment.currentTimeMs());
      const timestamp = await environment.currentTimeMs();
      const data = { eventId: `event-of-${id}`, taskId: id, templateId: 'template-1', priority: 'normal', modelType: 'fake', timestamp, userId: 'ana', ...created };
      stores.tell(id, { type: 'TaskCreated', version: 1, at: new Date(timestamp).toISOString(), data });
      return openStory(environment, codePath, id, stores);
    },
    close: () => environment.teardown(),
  };
}

function openStory(environment: TestWorkflowEnvironment, codePath: string, id: string, stores: FakeActivities): SkippedStory {
  const { nativeConnection: connection, client } = environment;
  let workers: Worker[] = [];
  let running: Promise<void>[] = [];
  let handle: WorkflowHandle<typeof contentWorkflow>;
  return {
    id, stores,
    async start() {
      workers = await Promise.all([
        Worker.create({ connection, taskQueue: QUEUE, workflowBundle: { codePath }, activities: { ...stores }, sinks: new Endings().sinks }),
        Worker.create({ connection, taskQueue: GENERATOR_QUEUE, activities: { generateDraft: stores.generateDraft }, maxHeartbeatThrottleInterval: '50ms' }),
      ]);
      running = workers.map((worker) => worker.run());
      handle = await client.workflow.start<typeof contentWorkflow>(content.workflow, {
        workflowId: workflowId(content.name, id), taskQueue: QUEUE, args: [id],
        // A local activity that waits is heard of by the workflow at 80 % of this.
        workflowTaskTimeout: '2s',
      });
    },
    async cancel() {
      await handle.signal(mailSignal, CANCEL);
      await until(async () => {
        const { events } = await handle.fetchHistory();
        const signalled = (events ?? []).findIndex((event) => event.workflowExecutionSignaledEventAttributes);
        return signalled >= 0 && (events ?? []).slice(signalled).some((event) => event.workflowTaskStartedEventAttributes);
      }, 'the workflow has its mail');
    },
    async ended() {
      try {
        return { result: await handle.result(), facts: stores.factsOf(id) };
      } finally {
        for (const worker of workers) worker.shutdown();
        await Promise.all(running);
      }
    },
  };
}
