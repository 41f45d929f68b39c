import { WithStartWorkflowOperation, WorkflowIdConflictPolicy, WorkflowIdReusePolicy, type Client, type WorkflowOptions } from '@temporalio/client';
import { defineSearchAttributeKey, SearchAttributeType, TypedSearchAttributes } from '@temporalio/common';
import type { Config } from '../config';
import { laneWorkflowId, workflowId } from '../facts/identity';
import { ABOARD_ATTRIBUTES, listsAboard } from './attributes';
import type { Domain } from '../../workflows/kernel/definition';
import type { Fact, Mail } from '../../workflows/kernel/fact';
import type { Begun } from '../../workflows/kernel/recording';

/** A workflow that was started, as far as whoever started it may want to know. */
export interface Running {
  /** Its first task is in the hands of a worker of this very process. */
  readonly eagerlyStarted: boolean;
  result(): Promise<unknown>;
}

/** Only facts reject duplicates: a run that is there is used, and an id may be used again. */
const SHARED = {
  workflowIdConflictPolicy: WorkflowIdConflictPolicy.USE_EXISTING,
  workflowIdReusePolicy: WorkflowIdReusePolicy.ALLOW_DUPLICATE,
};

/** Half of the 512 KiB at which a Temporal server warns of a payload. */
const BEGUN_BYTES_MAX = 256 * 1024;

/** What a start needs of fact 1: how the story is shown, and whose request it was. */
export interface Beginning {
  readonly id: string;
  readonly data: object;
  readonly correlationId: string;
  /** Fact 1 itself where a look after its commit found no mail: then the story begins with it, and need not be opened. */
  readonly first?: Fact;
}

/**
 * Starts the workflow named after an aggregate. A story that is told to its end ends at once.
 * @param requestEagerStart whether a worker of this very process may take its first task at once; the SDK refuses
 *   that to a client that shares its connection with none, as that of a command line is
 */
export async function startOwnWorkflow(client: Client, config: Config, domain: Domain, first: Beginning, requestEagerStart = true): Promise<Running> {
  const args = [first.id, ...begunOf(config, domain, [first])];
  return client.workflow.start(domain.workflow, { ...optionsOf(config, domain, first), args, requestEagerStart });
}

/**
 * Starts a lane of them. Its name comes from who is aboard, so that a start whose answer was lost is the same
 * lane when it is tried again.
 */
export async function startLane(client: Client, config: Config, domain: Domain, aboard: readonly Beginning[]): Promise<Running> {
  const ids = aboard.map(({ id }) => id);
  return client.workflow.start(domain.lane ?? '', {
    ...SHARED, workflowTaskTimeout: config.TEMPORAL_WORKFLOW_TASK_TIMEOUT_MS, taskQueue: config.TEMPORAL_TASK_QUEUE,
    workflowId: laneWorkflowId(domain.name, ids),
    args: [ids, ...begunOf(config, domain, aboard)],
    requestEagerStart: true,
    staticSummary: `${ids.length} aboard`,
    priority: { priorityKey: Math.min(...aboard.map(({ data }) => domain.display.priority(data))) },
    typedSearchAttributes: new TypedSearchAttributes(
      listsAboard(domain.name, ids).map((value, which) => ({ key: defineSearchAttributeKey(ABOARD_ATTRIBUTES[which] ?? '', SearchAttributeType.KEYWORD_LIST), value })),
    ),
  });
}

/** The same, and mail with it: a running story gets the mail, a finished or lost one begins anew and finds it. */
export async function startWithMail(
  client: Client, config: Config, domain: Domain, first: Beginning, mail: Mail,
): Promise<void> {
  await client.workflow.signalWithStart(domain.workflow, { ...optionsOf(config, domain, first), signal: 'mail', signalArgs: [mail] });
}

/** The same, and waits for what becomes of it: until the story has decided, or its patience is over. */
export async function askOwnWorkflow(client: Client, config: Config, domain: Domain, first: Beginning, mail: Mail): Promise<void> {
  const startWorkflowOperation = new WithStartWorkflowOperation(domain.workflow, optionsOf(config, domain, first));
  await client.workflow.executeUpdateWithStart('ask', { args: [mail], startWorkflowOperation });
}

function optionsOf(config: Config, { name, display }: Domain, { id, data, correlationId }: Beginning) {
  // What is searched by cannot be sealed; where payloads are, it is left out.
  const attributes = config.TEMPORAL_PAYLOAD_KEYS.length > 0 ? [] : Object.entries(display.searchAttributes);
  return {
    workflowId: workflowId(name, id),
    taskQueue: config.TEMPORAL_TASK_QUEUE,
    args: [id],
    ...SHARED,
    workflowTaskTimeout: config.TEMPORAL_WORKFLOW_TASK_TIMEOUT_MS,
    staticSummary: clip(display.summary(data)),
    memo: { ...display.memo(data), correlationId },
    priority: { priorityKey: display.priority(data) },
    typedSearchAttributes: new TypedSearchAttributes(
      attributes.map(([key, valueOf]) => ({ key: defineSearchAttributeKey(key, SearchAttributeType.KEYWORD), value: valueOf(data) })),
    ),
  } satisfies WorkflowOptions & { args: string[] };
}

/** What is handed over of stories that begin; those that do not fit are opened by their workflow. */
function begunOf(config: Config, domain: Domain, beginnings: readonly Beginning[]): [] | [Begun] {
  const stories: { id: string; first: Fact }[] = [];
  let bytes = 0;
  for (const { id, first } of beginnings) {
    bytes += first ? Buffer.byteLength(JSON.stringify(first)) : 0;
    if (bytes > BEGUN_BYTES_MAX) break;
    if (first) stories.push({ id, first });
  }
  return stories.length > 0 ? [{ limits: domain.limits(config.domainSettings[domain.name] ?? {}), stories }] : [];
}

/** A Temporal server refuses a summary of more than 400 bytes; a character is at most 3 of them in UTF-16 terms. */
function clip(summary: string): string {
  return summary.length > 120 ? `${summary.slice(0, 119)}…` : summary;
}
