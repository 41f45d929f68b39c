import { WorkflowIdConflictPolicy, WorkflowIdReusePolicy, type Client, type WorkflowOptions } from '@temporalio/client';
import { defineSearchAttributeKey, SearchAttributeType, TypedSearchAttributes } from '@temporalio/common';
import type { Config } from '../config';
import { workflowId } from '../facts/identity';
import type { Domain } from '../../workflows/kernel/definition';
import type { Mail } from '../../workflows/kernel/fact';

/** What a start needs of fact 1: how the story is shown, and whose request it was. */
export interface Beginning {
  readonly id: string;
  readonly data: object;
  readonly correlationId: string;
}

/**
 * Starts the workflow named after an aggregate. Only facts reject duplicates: a run that is there is
 * used, and an id may be used again, because a story that is told to its end ends at once.
 */
export async function startOwnWorkflow(client: Client, config: Config, domain: Domain, first: Beginning): Promise<void> {
  await client.workflow.start(domain.workflow, { ...optionsOf(config, domain, first), requestEagerStart: true });
}

/** The same, and mail with it: a running story gets the mail, a finished or lost one begins anew and finds it. */
export async function startWithMail(
  client: Client, config: Config, domain: Domain, first: Beginning, mail: Mail,
): Promise<void> {
  await client.workflow.signalWithStart(domain.workflow, { ...optionsOf(config, domain, first), signal: 'mail', signalArgs: [mail] });
}

function optionsOf(config: Config, { name, display }: Domain, { id, data, correlationId }: Beginning) {
  const attributes = Object.entries(display.searchAttributes);
  return {
    workflowId: workflowId(name, id),
    taskQueue: config.TEMPORAL_TASK_QUEUE,
    args: [id],
    workflowIdConflictPolicy: WorkflowIdConflictPolicy.USE_EXISTING,
    workflowIdReusePolicy: WorkflowIdReusePolicy.ALLOW_DUPLICATE,
    workflowTaskTimeout: config.TEMPORAL_WORKFLOW_TASK_TIMEOUT_MS,
    staticSummary: clip(display.summary(data)),
    memo: { ...display.memo(data), correlationId },
    priority: { priorityKey: display.priority(data) },
    typedSearchAttributes: new TypedSearchAttributes(
      attributes.map(([key, valueOf]) => ({ key: defineSearchAttributeKey(key, SearchAttributeType.KEYWORD), value: valueOf(data) })),
    ),
  } satisfies WorkflowOptions & { args: string[] };
}

/** A Temporal server refuses a summary of more than 400 bytes; a character is at most 3 of them in UTF-16 terms. */
function clip(summary: string): string {
  return summary.length > 120 ? `${summary.slice(0, 119)}…` : summary;
}
