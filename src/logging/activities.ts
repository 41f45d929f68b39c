import { Context } from '@temporalio/activity';
import type { Logger } from '../log';
import type { KnownStories } from './known-stories';

/** Stories that one call is said of, one line each; a lane may bring a thousand. */
const SAID_MAX = 100;

/**
 * The same activities, each call said for every story that it served; as they are, at no cost, where the log does not
 * go down to debug. What fails is said by Temporal's own log, at any level.
 */
export function loggedActivities<Activities extends object>(activities: Activities, log: Logger | undefined, known: KnownStories): Activities {
  if (!log?.isLevelEnabled('debug')) return activities;
  const entries = Object.entries(activities).map(([name, run]) => [
    name, async (...args: unknown[]) => {
      const begun = performance.now();
      const answer: unknown = await (run as (...given: unknown[]) => Promise<unknown>)(...args);
      await say(log, known, name, args, Math.round(performance.now() - begun));
      return answer;
    },
  ]);
  return Object.fromEntries(entries) as Activities;
}

async function say(log: Logger, known: KnownStories, activity: string, args: readonly unknown[], ms: number): Promise<void> {
  const { workflowExecution, attempt } = Context.current().info;
  const workflowId = workflowExecution?.workflowId ?? '';
  const domain = /^(?:lane\/)?([^/]+)\//.exec(workflowId)?.[1];
  if (domain === undefined) return;
  const stories = await known.of(domain, [...idsIn(args)].slice(0, SAID_MAX));
  for (const about of stories) log.debug({ ...about, activity, attempt, ms, workflow_id: workflowId, run_id: workflowExecution?.runId }, 'activity done');
}

/** By `{id}`, alone or in a list, or a list of ids: however an activity is asked for stories. */
function* idsIn(args: readonly unknown[]): Generator<string> {
  for (const one of args.flatMap((arg) => (Array.isArray(arg) ? (arg as unknown[]).map((each) => (typeof each === 'string' ? { id: each } : each)) : [arg]))) {
    if (typeof one === 'object' && one !== null && 'id' in one && typeof one.id === 'string') yield one.id;
  }
}
