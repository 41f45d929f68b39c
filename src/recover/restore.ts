import type { Fact } from '../../workflows/kernel/fact';
import { beginning, fold } from '../../workflows/kernel/lifecycle';
import type { Source } from '../audit/sources';
import type { Queryable } from '../facts/postgres';
import type { Gathered, GatheredFact } from './gather';
import { storiesOf } from './stored';
import { writeViews } from './views';

/** What was stored again of some aggregates. */
export interface Restored {
  /** Facts that were not stored before. */
  readonly facts: number;
  /** Those of them that no topic had: first facts, made of the requests that asked for them. */
  readonly fromRequests: number;
  /** The first version of an aggregate that cannot be stored: it is nowhere and a later one is known, or its story was over before it. */
  readonly gaps: readonly { readonly aggregate: string; readonly id: string; readonly version: number }[];
}

/**
 * Stores facts again as they were, and the rows for readers that follow from them. In a transaction of its
 * caller's, so that an aggregate is back as a whole or not at all: no run can tell a version that is only not
 * back yet. What is stored already stays as it is.
 */
export async function restoreStories(tx: Queryable, stories: readonly Gathered[]): Promise<Restored> {
  let [facts, fromRequests] = [0, 0];
  const gaps: { aggregate: string; id: string; version: number }[] = [];
  for (const source of new Set(stories.map((story) => story.source))) {
    const own = stories.filter((story) => story.source === source);
    const ids = own.map(({ id }) => id);
    const stored = await storiesOf(tx, source.name, ids);
    const rows = own.flatMap(({ id, facts: told }) => {
      const { missing, gap } = missingOf(source, told, stored.get(id) ?? []);
      if (gap !== undefined) gaps.push({ aggregate: source.name, id, version: gap });
      fromRequests += missing.filter(({ publishedAt }) => publishedAt === null).length;
      return missing.map((fact) => rowOf(id, fact));
    });
    facts += await insert(tx, source.name, rows);
    if (source.domain) await writeViews(tx, source.domain, ids);
  }
  return { facts, fromRequests, gaps };
}

/**
 * The versions to store: none without its predecessor, and none that its story cannot have told. And the first
 * one that could not be had, where a later one is known.
 */
function missingOf({ domain }: Source, told: ReadonlyMap<number, GatheredFact>, stored: readonly Fact[]): { missing: GatheredFact[]; gap: number | undefined } {
  const missing: GatheredFact[] = [];
  const there = new Map(stored.map((fact) => [fact.version, fact]));
  const last = Math.max(...told.keys(), ...there.keys());
  let state = domain && beginning(domain.lifecycle);
  for (let version = 1; version <= last; version += 1) {
    const known = there.get(version);
    const fact = told.get(version);
    const over = domain && state && version > 1 && domain.lifecycle.phase(state) === 'done';
    const next = known ?? (fact && !over ? factOf(fact) : undefined);
    if (!next) return { missing, gap: version };
    if (domain && state) state = fold(domain.lifecycle, [next], state);
    if (!known && fact) missing.push(fact);
  }
  return { missing, gap: undefined };
}

function factOf({ type, version, at, payload, context }: GatheredFact): Fact {
  return { type, version, at, data: JSON.parse(payload) as object, ...(context && { context }) };
}

function rowOf(id: string, { version, ceId, type, topic, payload, context, at, correlationId, causationId, traceparent, origin, publishedAt }: GatheredFact) {
  return {
    id, version, ce_id: ceId, type, topic, payload, context: context && JSON.stringify(context), at,
    correlation_id: correlationId, causation_id: causationId, traceparent, origin, published_at: publishedAt,
  };
}

/** Payloads travel as text inside the JSON, so that no parser touches what was published. */
async function insert(tx: Queryable, aggregate: string, rows: readonly ReturnType<typeof rowOf>[]): Promise<number> {
  if (rows.length === 0) return 0;
  const { rowCount } = await tx.query(
    `INSERT INTO facts (aggregate_type, aggregate_id, version, ce_id, type, topic, payload, context, at, correlation_id, causation_id, traceparent, origin, published_at)
     SELECT $1, r.id, r.version, r.ce_id, r.type, r.topic, r.payload::json, r.context::json, r.at, r.correlation_id, r.causation_id, r.traceparent, r.origin, r.published_at
     FROM json_to_recordset($2::json) AS r(
       id text, version int, ce_id uuid, type text, topic text, payload text, context text, at timestamptz,
       correlation_id text, causation_id text, traceparent text, origin text, published_at timestamptz)
     ORDER BY r.id, r.version
     ON CONFLICT DO NOTHING`,
    [aggregate, JSON.stringify(rows)],
  );
  return rowCount ?? 0;
}
