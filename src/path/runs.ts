import { WorkflowNotFoundError, type Client, type WorkflowExecutionDescription, type WorkflowExecutionInfo } from '@temporalio/client';
import type { Domain } from '../../workflows/kernel/definition';
import { workflowId } from '../facts/identity';
import { ABOARD_ATTRIBUTES, listedAs } from '../temporal/attributes';
import type { PathLine } from './line';

/** Runs of one story that are told of; more of them than a few says that something is wrong, and the Web UI has all. */
const RUNS_MAX = 10;
/** The server has this long for all of its answers, ms. */
const ANSWERS_WITHIN_MS = 6_000;

/**
 * The workflows that a story ran in, its own and lanes, and each try of what it asked of others, as Temporal still
 * remembers them. What a workflow does by local activities is not in it: those end in a fact.
 */
export async function runLines(temporal: Client, domain: Domain, id: string): Promise<PathLine[]> {
  return await temporal.withDeadline(Date.now() + ANSWERS_WITHIN_MS, async () => {
    const own = await ownRuns(temporal, domain, id);
    const lanes = domain.lane === undefined ? [] : await listed(temporal, aboard(domain, id));
    const tries = await Promise.all(own.map((run) => triesOf(temporal, run)));
    return [...lanes.flatMap((run) => runOf(run, 'a lane')), ...own.flatMap((run) => runOf(run, 'a workflow of its own')), ...tries.flat(), ...(await pendingLines(temporal, own[0]))];
  });
}

/** Newest first. What was just begun is not listed yet, and is described. */
async function ownRuns(temporal: Client, domain: Domain, id: string): Promise<WorkflowExecutionInfo[]> {
  const name = workflowId(domain.name, id);
  const latest = await described(temporal, name);
  const earlier = (await listed(temporal, `WorkflowId = ${quoted(name)}`)).filter(({ runId }) => runId !== latest?.runId);
  return [...(latest ? [latest] : []), ...earlier].slice(0, RUNS_MAX);
}

async function described(temporal: Client, name: string): Promise<(WorkflowExecutionInfo & { readonly raw: WorkflowExecutionDescription['raw'] }) | undefined> {
  try {
    return await temporal.workflow.getHandle(name).describe();
  } catch (thrown) {
    if (thrown instanceof WorkflowNotFoundError) return undefined; // It rode in a lane, or its retention is over.
    throw thrown;
  }
}

async function listed(temporal: Client, query: string): Promise<WorkflowExecutionInfo[]> {
  const runs: WorkflowExecutionInfo[] = [];
  for await (const run of temporal.workflow.list({ query, pageSize: RUNS_MAX })) {
    runs.push(run);
    if (runs.length >= RUNS_MAX) break;
  }
  return runs;
}

/** Lanes that list it: by its id, or by its mark where they were too full for ids. */
function aboard(domain: Domain, id: string): string {
  const listed = listedAs(domain.name, id).map(quoted).join(', ');
  return `WorkflowType = ${quoted(domain.lane ?? '')} AND (${ABOARD_ATTRIBUTES.map((name) => `${name} IN (${listed})`).join(' OR ')})`;
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}

function runOf({ workflowId: name, runId, startTime, closeTime, status }: WorkflowExecutionInfo, what: string): PathLine[] {
  const started: PathLine = { at: startTime.toISOString(), teller: 'Temporal', event: 'started', text: `it runs in ${what}: ${name}, run ${runId}` };
  if (!closeTime) return [started];
  return [started, { at: closeTime.toISOString(), teller: 'Temporal', event: 'ended', text: `run ${runId} ended: ${status.name.toLowerCase()}` }];
}

/** From a history: when each try of an activity that others do was begun, and what came of it. */
async function triesOf(temporal: Client, { workflowId: name, runId }: WorkflowExecutionInfo): Promise<PathLine[]> {
  const { events } = await temporal.workflow.getHandle(name, runId).fetchHistory();
  const names = new Map<string, string>();
  const tries = new Map<string, string>();
  const lines: PathLine[] = [];
  const say = (event: { eventTime?: Time | null }, word: 'attempt' | 'answered', text: string): void => {
    lines.push({ at: instantOf(event.eventTime), teller: 'Temporal', event: word, text });
  };
  for (const event of events ?? []) {
    const { activityTaskScheduledEventAttributes: asked, activityTaskStartedEventAttributes: begun } = event;
    if (asked) names.set(String(event.eventId), asked.activityType?.name ?? '?');
    if (begun) {
      const what = `${names.get(String(begun.scheduledEventId)) ?? '?'}, try ${begun.attempt ?? 1}`;
      tries.set(String(begun.scheduledEventId), what);
      const before = begun.lastFailure?.message;
      say(event, 'attempt', `${what}${before ? ` (the one before it failed: ${before})` : ''}`);
    }
    const ended = event.activityTaskCompletedEventAttributes ?? event.activityTaskFailedEventAttributes ?? event.activityTaskTimedOutEventAttributes ?? event.activityTaskCanceledEventAttributes;
    if (ended) {
      const how = event.activityTaskCompletedEventAttributes ? 'has answered' : event.activityTaskCanceledEventAttributes ? 'was called off' : `failed: ${event.activityTaskFailedEventAttributes?.failure?.message ?? 'no answer in time'}`;
      say(event, 'answered', `${tries.get(String(ended.scheduledEventId)) ?? '?'} ${how}`);
    }
  }
  return lines;
}

/** What an open run waits for now; a history tells of a try only once it is over. */
async function pendingLines(temporal: Client, latest: WorkflowExecutionInfo | undefined): Promise<PathLine[]> {
  if (!latest || latest.closeTime) return [];
  const { raw } = await temporal.workflow.getHandle(latest.workflowId, latest.runId).describe();
  return (raw.pendingActivities ?? []).map((pending): PathLine => {
    const { activityType, attempt, lastStartedTime, lastFailure } = pending;
    const before = lastFailure?.message;
    const text = `${activityType?.name ?? '?'} is at try ${attempt ?? 1}${before ? `; the last one failed: ${before}` : ''}`;
    return { at: instantOf(lastStartedTime), teller: 'Temporal', event: 'attempt', text };
  });
}

interface Time { readonly seconds?: { toString(): string } | null; readonly nanos?: number | null }

function instantOf(time: Time | null | undefined): string | null {
  if (!time) return null;
  return new Date(Number(String(time.seconds ?? 0)) * 1_000 + Math.floor((time.nanos ?? 0) / 1_000_000)).toISOString();
}
