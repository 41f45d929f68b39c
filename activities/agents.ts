import type { Queryable } from '../src/facts/postgres';
import type { Keyed } from '../workflows/kernel/coalesce';
import type { FailureReason, Priority } from '../workflows/content/lifecycle';

/** The names that an agent of this configuration registers. */
export { modelTypesOf } from './model/catalogue';

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

/** An agent as the registry knows it. */
export interface Agent {
  readonly id: string;
  /** Names of models that it can call; exact. */
  readonly modelTypes: readonly string[];
  /** Tasks in hand at most. */
  readonly capacity: number;
}

interface Candidate extends Agent {
  inHand: number;
}

/** Tasks in hand are counted up to this many an agent: beyond it all are equally full, and counting costs. */
const COUNTED_MAX = 1_000;

export function agentActivities({ db }: { db: Queryable }): AgentActivities {
  return {
    async assignAgents(requests) {
      const { templates, agents } = await lookUp(db, requests);
      await countInHand(db, agents);
      return requests.map(({ id, version, templateId, modelType, priority }): Assignment => {
        if (!templates.has(templateId)) return { id, version, refused: 'unknown-template' };
        const agent = choose(agents.filter((one) => one.modelTypes.includes(modelType)), priority);
        if (!agent) return { id, version, refused: 'unknown-model' };
        agent.inHand += 1;
        return { id, version, agentId: agent.id };
      });
    },
  };
}

/**
 * Enters an agent, or what has changed about it; called when its process starts. It stays when the
 * process goes, because tasks that wait for it are not wrong.
 */
export async function registerAgent(db: Queryable, { id, modelTypes, capacity }: Agent): Promise<void> {
  await db.query(
    `INSERT INTO agents (id, model_types, capacity, seen_at) VALUES ($1, $2, $3, now())
     ON CONFLICT (id) DO UPDATE SET model_types = EXCLUDED.model_types, capacity = EXCLUDED.capacity, seen_at = now()`,
    [id, modelTypes, capacity],
  );
}

async function lookUp(db: Queryable, requests: readonly AssignRequest[]) {
  const { rows } = await db.query<{ templates: string[]; agents: Agent[] }>(
    `SELECT ARRAY(SELECT id::text FROM templates WHERE id = ANY($1::uuid[])) AS templates,
            (SELECT COALESCE(json_agg(json_build_object('id', id, 'modelTypes', model_types, 'capacity', capacity) ORDER BY id), '[]')
             FROM agents WHERE model_types && $2::text[]) AS agents`,
    [requests.map((one) => one.templateId), requests.map((one) => one.modelType)],
  );
  const agents: Candidate[] = (rows[0]?.agents ?? []).map((agent) => ({ ...agent, inHand: 0 }));
  return { templates: new Set(rows[0]?.templates), agents };
}

/** Where one agent alone could be chosen there is nothing to compare, and so nothing to count. */
async function countInHand(db: Queryable, agents: readonly Candidate[]): Promise<void> {
  if (agents.length < 2) return;
  const { rows } = await db.query<{ id: string; in_hand: number }>(
    `SELECT a.id, (SELECT count(*)::int FROM (
              SELECT 1 FROM task_view v WHERE v.agent_id = a.id AND v.status = 'processing' LIMIT ${COUNTED_MAX}
            ) AS held) AS in_hand
     FROM unnest($1::text[]) AS a(id)`,
    [agents.map((agent) => agent.id)],
  );
  const counted = new Map(rows.map((row) => [row.id, row.in_hand]));
  for (const agent of agents) agent.inHand = counted.get(agent.id) ?? 0;
}

/**
 * What is urgent goes where there is most room. What can wait fills up who is busy already, so that room
 * stays together for what is urgent; where nobody has room it goes, like all else, to the least loaded.
 */
function choose(agents: readonly Candidate[], priority: Priority): Candidate | undefined {
  const byLoad = agents.toSorted((a, b) => a.inHand / a.capacity - b.inHand / b.capacity);
  if (priority !== 'low') return byLoad[0];
  return byLoad.findLast((agent) => agent.inHand < agent.capacity) ?? byLoad[0];
}
