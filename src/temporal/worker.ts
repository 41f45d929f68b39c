import { makeTelemetryFilterString, NativeConnection, Runtime, Worker, type TelemetryOptions, type WorkerOptions } from '@temporalio/worker';
import type { Activities } from '../../activities';
import type { Config } from '../config';
import type { Logger } from '../log';
import type { KnownStories } from '../logging/known-stories';
import { temporalLog } from '../logging/temporal';
import { converterOf } from './converter';
import { Endings } from './endings';

/** Where workflows come from: built ahead by the start, or bundled now (tests). */
function workflowSource(config: Config): Pick<WorkerOptions, 'workflowBundle' | 'workflowsPath' | 'bundlerOptions'> {
  if (config.WORKFLOW_BUNDLE) return { workflowBundle: { codePath: config.WORKFLOW_BUNDLE } };
  return { workflowsPath: require.resolve('../../workflows'), bundlerOptions: { preloadModules: [require.resolve('../../workflows/kernel/untraced')] } };
}

/** The SDK's log goes where ours goes; to be called once, before anything of Temporal is made. */
export function installRuntime(log: Logger, metrics?: TelemetryOptions['metrics'], known?: KnownStories): void {
  Runtime.install({
    shutdownSignals: [],
    telemetryOptions: { logging: { forward: {}, filter: makeTelemetryFilterString({ core: 'WARN' }) }, ...(metrics && { metrics }) },
    logger: temporalLog(log, known),
  });
}

/**
 * Runs workflows and their local activities.
 * @param endings hears of the stories that end here
 */
export function openWorkflowWorker(
  config: Config, connection: NativeConnection, activities: Activities, endings = new Endings(),
): Promise<Worker> {
  return Worker.create({
    connection,
    namespace: config.TEMPORAL_NAMESPACE,
    ...converterOf(config),
    taskQueue: config.TEMPORAL_TASK_QUEUE,
    ...workflowSource(config),
    activities,
    sinks: endings.sinks,
    maxCachedWorkflows: 1_000,
    maxConcurrentWorkflowTaskExecutions: 100,
    maxConcurrentLocalActivityExecutions: 200,
    // After a process dies, what was sticky to it is given to others this soon.
    stickyQueueScheduleToStartTimeout: '3s',
    shutdownGraceTime: '3s',
    shutdownForceTime: '6s',
  });
}

/** Runs the slow activities of one queue: at most `capacity` at once, `perSecondMax` over all its workers. */
export function openActivityWorker(
  config: Config, connection: NativeConnection, activities: object, queue: { name: string; capacity: number; perSecondMax: number },
): Promise<Worker> {
  return Worker.create({
    connection,
    namespace: config.TEMPORAL_NAMESPACE,
    ...converterOf(config),
    taskQueue: queue.name,
    activities,
    maxConcurrentActivityTaskExecutions: queue.capacity,
    maxTaskQueueActivitiesPerSecond: queue.perSecondMax,
    shutdownGraceTime: '3s',
    shutdownForceTime: '6s',
  });
}
