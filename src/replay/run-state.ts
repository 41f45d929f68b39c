import { isGrpcServiceError, QueryNotRegisteredError, QueryRejectedError, WorkflowNotFoundError, type Client } from '@temporalio/client';
import type { Domain } from '../../workflows/kernel/definition';
import type { AnyState, Placed } from '../../workflows/kernel/lifecycle';
import { workflowId } from '../facts/identity';
import { STATE_QUERY } from '../../workflows/kernel/query';

/** A run that has not answered by then is not asked again, ms: its worker may be away, and replay waits for nobody. */
const ANSWERS_WITHIN_MS = 3_000;

/**
 * The state that the aggregate's own workflow holds, as it answers a query; undefined where there is none that
 * answers: it was carried by a lane, its retention is over, or no worker runs. A query leaves no trace in its history.
 */
export async function runState(temporal: Client, domain: Domain, id: string): Promise<Placed<AnyState> | undefined> {
  try {
    const handle = temporal.workflow.getHandle(workflowId(domain.name, id));
    const answer = await temporal.withDeadline(Date.now() + ANSWERS_WITHIN_MS, () => handle.query<Placed<AnyState> | null>(STATE_QUERY));
    return answer ?? undefined;
  } catch (thrown) {
    if (isAbsence(thrown)) return undefined;
    throw thrown;
  }
}

function isAbsence(thrown: unknown): boolean {
  if (thrown instanceof WorkflowNotFoundError || thrown instanceof QueryNotRegisteredError || thrown instanceof QueryRejectedError) return true;
  // The server, or a worker of this task queue, is away: then Temporal says nothing, which is no difference.
  return isGrpcServiceError(thrown) || (thrown instanceof Error && isGrpcServiceError(thrown.cause));
}
