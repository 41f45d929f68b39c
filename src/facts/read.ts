import type { Fact, Mail } from '../../workflows/kernel/fact';
import type { Queryable } from './postgres';

/** A stored fact with everything that its record on Kafka says. */
export interface StoredFact extends Fact {
  readonly seq: string;
  readonly domain: string;
  readonly id: string;
  readonly ceId: string;
  readonly topic: string;
  /** The JSON text of the data, exactly as it was written. */
  readonly payload: string;
  readonly correlationId: string;
  readonly causationId: string;
  readonly traceparent: string | null;
  readonly origin: string | null;
  readonly publishedAt: Date | null;
}

interface FactRow {
  seq: string; aggregate_type: string; aggregate_id: string; version: number; ce_id: string; type: string; topic: string;
  payload: string; context: object | null; at: Date; correlation_id: string; causation_id: string; traceparent: string | null;
  origin: string | null; published_at: Date | null;
}

/** Columns of `facts` for `storedFact`; the payload as text, so that no parser touches its bytes. */
export const FACT_COLUMNS = `seq, aggregate_type, aggregate_id, version, ce_id, type, topic, payload::text AS payload, context, at,
  correlation_id, causation_id, traceparent, origin, published_at`;

export function storedFact(row: FactRow): StoredFact {
  return {
    seq: row.seq, domain: row.aggregate_type, id: row.aggregate_id, version: row.version, ceId: row.ce_id,
    type: row.type, topic: row.topic, payload: row.payload, data: JSON.parse(row.payload) as object,
    ...(row.context && { context: row.context }), at: row.at.toISOString(), correlationId: row.correlation_id, causationId: row.causation_id,
    traceparent: row.traceparent, origin: row.origin, publishedAt: row.published_at,
  };
}

/** Every stored fact of an aggregate from a version on, in order. */
export async function factsFrom(db: Queryable, domain: string, id: string, version = 1): Promise<StoredFact[]> {
  return factsOfMany(db, domain, [{ id, version }]);
}

/** Every stored fact of some aggregates, each from its version on, by aggregate and then in order. */
export async function factsOfMany(
  db: Queryable, domain: string, wanted: readonly { id: string; version: number }[],
): Promise<StoredFact[]> {
  if (wanted.length === 0) return [];
  const { rows } = await db.query<FactRow>(
    `SELECT ${FACT_COLUMNS.replaceAll(/\b(seq|version)\b/g, 'f.$1')}
     FROM json_to_recordset($2::json) AS w(id text, version int)
     -- OFFSET 0 keeps it a look-up by key for each, whatever the statistics say.
     CROSS JOIN LATERAL (
       SELECT * FROM facts WHERE aggregate_type = $1 AND aggregate_id = w.id AND version >= w.version OFFSET 0
     ) f
     ORDER BY f.aggregate_id, f.version`,
    [domain, JSON.stringify(wanted)],
  );
  return rows.map(storedFact);
}

/** The last stored version of each aggregate; one that is missing has no facts. */
export async function lastVersions(db: Queryable, domain: string, ids: readonly string[]): Promise<Map<string, number>> {
  if (ids.length === 0) return new Map();
  const { rows } = await db.query<{ aggregate_id: string; version: number }>(
    `SELECT aggregate_id, max(version) AS version FROM facts
     WHERE aggregate_type = $1 AND aggregate_id = ANY($2) GROUP BY aggregate_id`,
    [domain, ids],
  );
  return new Map(rows.map((row) => [row.aggregate_id, row.version]));
}

/** Those of some aggregates that have mail. */
export async function withMail(db: Queryable, domain: string, ids: readonly string[]): Promise<Set<string>> {
  if (ids.length === 0) return new Set();
  const { rows } = await db.query<{ aggregate_id: string }>(
    // Looked up one by one by key, whatever the statistics were when it was planned.
    {
      name: 'with mail',
      text: 'SELECT w.id AS aggregate_id FROM unnest($2::text[]) AS w(id) CROSS JOIN LATERAL (SELECT FROM mail WHERE aggregate_type = $1 AND aggregate_id = w.id LIMIT 1 OFFSET 0) m',
    },
    [domain, ids],
  );
  return new Set(rows.map((row) => row.aggregate_id));
}

/** Mail of some aggregates, oldest first. */
export async function mailOf(db: Queryable, domain: string, ids: readonly string[]): Promise<Map<string, Mail[]>> {
  const { rows } = await db.query<{ aggregate_id: string; mail_id: string; type: string; data: object }>(
    `SELECT aggregate_id, mail_id, type, data FROM mail
     WHERE aggregate_type = $1 AND aggregate_id = ANY($2) ORDER BY received_at, mail_id`,
    [domain, ids],
  );
  const found = new Map<string, Mail[]>();
  for (const row of rows) {
    const mail = { id: row.mail_id, type: row.type, data: row.data };
    found.set(row.aggregate_id, [...(found.get(row.aggregate_id) ?? []), mail]);
  }
  return found;
}
