import type { LogMetadata, Logger as TemporalLogger } from '@temporalio/worker';
import type { Level } from 'pino';
import type { Logger } from '../log';
import type { KnownStories } from './known-stories';
import { warnSparingly } from './sparing';

/**
 * Temporal's own log as lines of ours, each with the ids of the request whose story it is about, as far as the name of
 * the workflow says. What fails again and again is said sparingly, whichever story it hits.
 */
export function temporalLog(log: Logger, known: KnownStories | undefined): TemporalLogger {
  const say = (level: Level) => (message: string, meta?: LogMetadata): void => {
    if (!log.isLevelEnabled(level)) return;
    const fields = fieldsOf(meta);
    const speak = (all: object): void => {
      if (level === 'warn') warnSparingly(log, keyOf(message, meta), all, message);
      else log[level](all, message);
    };
    const about = known?.ofWorkflow(meta?.workflowId);
    if (about) void about.then((ids) => speak({ ...ids, ...fields }));
    else speak(fields);
  };
  const levels = { trace: say('trace'), debug: say('debug'), info: say('info'), warn: say('warn'), error: say('error') };
  return { ...levels, log: (level, message, meta) => levels[level.toLowerCase() as keyof typeof levels](message, meta) };
}

/** Names as our own lines have them, and the fault where a line's fault is. */
function fieldsOf({ error, workflowId, runId, ...rest }: LogMetadata = {}): object {
  return { ...(error !== undefined && { err: error as unknown }), ...(workflowId !== undefined && { workflow_id: workflowId as unknown, run_id: runId as unknown }), ...rest };
}

/** One trouble is one kind of work that fails in one way; the texts of faults differ from story to story. */
function keyOf(message: string, { activityType, workflowType, error }: LogMetadata = {}): string {
  const kind = error instanceof Error ? ('type' in error && typeof error.type === 'string' ? error.type : error.name) : '';
  return [message, activityType, workflowType, kind].join(' ');
}
