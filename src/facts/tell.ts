import type { Domain } from '../../workflows/kernel/definition';
import type { Fact } from '../../workflows/kernel/fact';
import type { Placed, AnyState } from '../../workflows/kernel/lifecycle';
import { HINT_CHANNEL, type Hint } from './hint';
import { factId } from './identity';
import { isDataFault, withoutDeadlock, type Prepared, type Queryable } from './postgres';

/** A fact on its way into the table, with the view row that it makes true. */
export interface Telling {
  readonly id: string;
  readonly fact: Fact;
  /** The state after the fact; without one the view is left to a later fact. */
  readonly after?: Placed<AnyState>;
  /** What caused it; by default the fact before it. */
  readonly causedBy?: string;
  /** Fact 1 only: the others inherit it from their predecessor. */
  readonly correlationId?: string;
  readonly traceparent?: string;
  /** `topic/partition/offset` of a fact that came in by its own topic, and so is published already. */
  readonly origin?: string;
}

/** What became of each telling, by `keyOfTelling`. */
export interface Told {
  readonly stored: ReadonlySet<string>;
  /** Refused for their data, with the database's words; everything else in the batch went through. */
  readonly refused: ReadonlyMap<string, string>;
}

export function keyOfTelling({ id, fact }: Pick<Telling, 'id'> & { fact: Pick<Fact, 'version'> }): string {
  return `${fact.version} ${id}`;
}

/**
 * Inserts facts and their view rows in one statement, which is one transaction. A fact goes in only
 * behind its stored predecessor, and only if its version is free: the first writer wins, for ever.
 * At most one fact of an aggregate a call. A batch that fails for somebody's data is split until the
 * culprit stands alone.
 * @param hint called after facts were stored that a relay has to publish. A lone one that is urgent takes the hint along in
 *   its statement, which spares a round trip; where many are told, that would undo the group commit (`openHint`).
 */
export async function tellFacts(db: Queryable, domain: Domain, tellings: readonly Telling[], hint?: Hint): Promise<Told> {
  if (tellings.length === 0) return { stored: new Set(), refused: new Map() };
  try {
    const due = hint !== undefined && tellings.some(({ origin }) => origin === undefined);
    const urgency = urgencyOf(domain, tellings);
    const carried = due && urgency === 'now' && tellings.length === 1;
    const stored = await withoutDeadlock(() => insertFacts(db, domain, tellings, carried));
    if (due && stored.size > 0) hint(carried ? 'carried' : urgency);
    return { stored, refused: new Map() };
  } catch (thrown) {
    if (!isDataFault(thrown)) throw thrown;
    const [first] = tellings;
    if (tellings.length === 1 && first) {
      return { stored: new Set(), refused: new Map([[keyOfTelling(first), String(thrown)]]) };
    }
    const half = Math.ceil(tellings.length / 2);
    const left = await tellFacts(db, domain, tellings.slice(0, half), hint);
    const right = await tellFacts(db, domain, tellings.slice(half), hint);
    return {
      stored: new Set([...left.stored, ...right.stored]),
      refused: new Map([...left.refused, ...right.refused]),
    };
  }
}

/** A story that works tells its next fact in a moment; for one that waits or is over, somebody may be waiting. */
export function urgencyOf({ lifecycle }: Domain, tellings: readonly Telling[]): 'now' | 'soon' {
  return tellings.every(({ after }) => after && lifecycle.phase(after) === 'working') ? 'soon' : 'now';
}

/**
 * The one INSERT, as a statement that may stand in a transaction of its caller's: it is run once, and whatever
 * PostgreSQL says is thrown. For an effect on our own tables, which is made where its fact is stored.
 * @param hints whether a relay is to be woken by the commit
 * @returns those that were stored, by `keyOfTelling`.
 */
export async function insertFacts(db: Queryable, domain: Domain, tellings: readonly Telling[], hints = false): Promise<Set<string>> {
  const facts = tellings.map(({ id, fact, causedBy, correlationId, traceparent, origin }) => ({
    id, version: fact.version, ce_id: factId(domain.name, id, fact.version), type: fact.type,
    topic: domain.topics[fact.type], payload: fact.data, context: fact.context, at: fact.at, caused_by: causedBy,
    correlation_id: correlationId, traceparent, origin,
  }));
  const rows = tellings.flatMap(({ id, after }) => (after ? [domain.view.row(id, after, domain.lifecycle.phase(after))] : []));
  const values = [domain.name, JSON.stringify(facts), JSON.stringify(rows), hints];
  const { rows: stored } = await db.query<{ aggregate_id: string; version: number }>(statementOf(domain), values);
  return new Set(stored.map((row) => keyOfTelling({ id: row.aggregate_id, fact: { version: row.version } })));
}

const statements = new Map<string, Prepared>();

/** Prepared by name: to plan it takes as long as to insert one fact. */
function statementOf(domain: Domain): Prepared {
  const known = statements.get(domain.name);
  if (known) return known;
  const statement = { name: `tell ${domain.name}`, text: makeStatement(domain) };
  statements.set(domain.name, statement);
  return statement;
}

/**
 * The predecessor is looked up one by one: as a plain join, a planner whose statistics were those of an empty
 * table read every fact of the domain, and each batch took longer than the one before. Rows are touched in
 * the order of their keys, so that two batches rarely wait for each other in a circle.
 */
function makeStatement({ lifecycle, view }: Domain): string {
  const { table, key } = view;
  const blank = { ...lifecycle.initial, version: 0, movedAt: '1970-01-01T00:00:00.000Z' };
  const columns = Object.keys(view.row('', blank, 'working'));
  const updates = columns.filter((column) => column !== key).map((column) => `${column} = EXCLUDED.${column}`);
  return `
    WITH proposed AS (
      SELECT * FROM json_to_recordset($2::json) AS p(
        id text, version int, ce_id uuid, type text, topic text, payload json, context json, at timestamptz,
        caused_by text, correlation_id text, traceparent text, origin text)
    ), told AS (
      INSERT INTO facts (aggregate_type, aggregate_id, version, ce_id, type, topic, payload, context, at,
                         correlation_id, causation_id, traceparent, origin, published_at)
      SELECT $1, p.id, p.version, p.ce_id, p.type, p.topic, p.payload, p.context, p.at,
             COALESCE(before.correlation_id, p.correlation_id, p.id),
             COALESCE(p.caused_by, before.ce_id::text, p.id),
             COALESCE(p.traceparent, before.traceparent),
             p.origin, CASE WHEN p.origin IS NOT NULL THEN now() END
      FROM proposed p
      LEFT JOIN LATERAL (
        SELECT b.ce_id, b.version, b.correlation_id, b.traceparent FROM facts b
        WHERE b.aggregate_type = $1 AND b.aggregate_id = p.id AND b.version = p.version - 1 LIMIT 1
      ) before ON true
      WHERE p.version = 1 OR before.version IS NOT NULL
      ORDER BY p.id
      ON CONFLICT DO NOTHING
      RETURNING aggregate_id, version
    ), seen AS (
      INSERT INTO ${table} (${columns.join(', ')})
      SELECT ${columns.map((column) => `row.${column}`).join(', ')}
      FROM json_populate_recordset(NULL::${table}, $3::json) AS row
      JOIN told ON told.aggregate_id = row.${key}::text AND told.version = row.version
      ORDER BY row.${key}
      ON CONFLICT (${key}) DO UPDATE SET ${updates.join(', ')}
      WHERE ${table}.version < EXCLUDED.version
    )
    SELECT aggregate_id, version, CASE WHEN $4::boolean THEN pg_notify('${HINT_CHANNEL}', '') END FROM told`;
}
