import { WorkflowNotFoundError, type Client, type WorkflowExecutionDescription } from '@temporalio/client';
import { temporal } from '@temporalio/proto';
import type { Domain } from '../../workflows/kernel/definition';
import { workflowId } from '../facts/identity';
import { ABOARD_ATTRIBUTES, listedAs } from '../temporal/attributes';
import { inTurn } from '../in-turn';
import type { RunSaid } from './testimony';

/** Questions to Temporal under way at the same time. */
const AT_ONCE = 32;

type Own = NonNullable<RunSaid['own']>;

interface Listed extends Own {
  readonly startedAt: number;
}

/** What Temporal says of the stories of one domain, at the time of asking. */
export class RunTeller {
  private readonly own = new Map<string, Listed>();
  /** As open lanes list them. */
  private aboard: ReadonlySet<string> = new Set();

  constructor(
    private readonly temporal: Client,
    readonly domain: Domain,
  ) {}

  /** Lists every workflow that is named after an aggregate, and who is aboard open lanes. It may be a moment old. */
  async listAll(): Promise<void> {
    this.own.clear();
    const prefix = workflowId(this.domain.name, '');
    for await (const { workflowId: name, runId, status, startTime } of this.temporal.workflow.list({ query: `WorkflowType = '${this.domain.workflow}'` })) {
      if (!name.startsWith(prefix)) continue;
      const id = name.slice(prefix.length);
      const known = this.own.get(id);
      const listed = { runId, status: status.name, open: status.name === 'RUNNING', startedAt: startTime.getTime() };
      // An id may have had several runs; the latest one counts, and one that is open is the latest.
      if (!known || listed.open || (!known.open && listed.startedAt > known.startedAt)) this.own.set(id, listed);
    }
    await this.listLanes();
  }

  /** Asks for these again, each by itself: the answer is that of now. */
  async lookAgain(ids: readonly string[]): Promise<void> {
    await this.listLanes();
    await inTurn(ids, AT_ONCE, async (id) => {
      try {
        const run = await this.temporal.workflow.getHandle(workflowId(this.domain.name, id)).describe();
        this.own.set(id, { runId: run.runId, status: run.status.name, open: run.status.name === 'RUNNING', startedAt: run.startTime.getTime(), inHand: isInHand(run) });
      } catch (thrown) {
        if (!(thrown instanceof WorkflowNotFoundError)) throw thrown;
        this.own.delete(id);
      }
    });
  }

  /** Ids of those that are open now. */
  open(): string[] {
    return [...this.own].flatMap(([id, { open }]) => (open ? [id] : []));
  }

  of(id: string): RunSaid {
    const own = this.own.get(id);
    return { ...(own && { own }), aboard: listedAs(this.domain.name, id).some((one) => this.aboard.has(one)) };
  }

  /** The same with what completed runs answered. */
  async withResults(ids: readonly string[]): Promise<Map<string, RunSaid>> {
    const said = new Map<string, RunSaid>();
    await inTurn(ids, AT_ONCE, async (id) => {
      const run = this.of(id);
      const result = run.own?.status === 'COMPLETED' ? await this.resultOf(id, run.own.runId) : undefined;
      said.set(id, { ...run, ...(result && { result }) });
    });
    return said;
  }

  private async resultOf(id: string, runId: string): Promise<RunSaid['result']> {
    try {
      const answer: unknown = await this.temporal.workflow.getHandle(workflowId(this.domain.name, id), runId, { followRuns: false }).result();
      return isEnding(answer) ? answer : undefined;
    } catch (thrown) {
      // Its retention ended between the list and the question: then it says nothing.
      if (thrown instanceof WorkflowNotFoundError) return undefined;
      throw thrown;
    }
  }

  private async listLanes(): Promise<void> {
    const aboard = new Set<string>();
    if (this.domain.lane !== undefined) {
      const query = `WorkflowType = '${this.domain.lane}' AND ExecutionStatus = 'Running'`;
      for await (const { searchAttributes } of this.temporal.workflow.list({ query })) {
        for (const name of ABOARD_ATTRIBUTES) for (const listed of searchAttributes[name] ?? []) aboard.add(String(listed));
      }
    }
    this.aboard = aboard;
  }
}

/** A worker has its task in hand: Temporal takes it back where it is not done in time. */
function isInHand({ raw: { pendingWorkflowTask: task } }: WorkflowExecutionDescription): boolean {
  return task?.state === temporal.api.enums.v1.PendingWorkflowTaskState.PENDING_WORKFLOW_TASK_STATE_STARTED;
}

function isEnding(answer: unknown): answer is { status: string; version: number } {
  return typeof answer === 'object' && answer !== null && 'status' in answer && 'version' in answer && typeof answer.version === 'number' && typeof answer.status === 'string';
}
