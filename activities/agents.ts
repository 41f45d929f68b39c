import type { Queryable } from '../src/facts/postgres';
import type { Keyed } from '../workflows/kernel/coalesce';
import type { FailureReason, Priority } from '../workflows/content/lifecycle';

export interface AssignRequest extends Keyed {
  readonly templateId: string;
  readonly modelType: string;
  readonly priority: Priority;
}

/** The agent that shall generate, or why none ever can. */
export type Assignment = Keyed & ({ readonly agentId: string } | { readonly refused: Extract<FailureReason, `unknown-${string}`> });

export interface AgentActivities {
  /** Local, in bulk. An agent that is away or full is still chosen: the task waits for it on its queue. */
  assignAgents(requests: readonly AssignRequest[]): Promise<Assignment[]>;
}

export function agentActivities({ db }: { db: Queryable }): AgentActivities {
  return {
    async assignAgents(requests) {
      void db;
      return requests.map(({ id, version }) => ({ id, version, agentId: 'agent-1' }));
    },
  };
}
