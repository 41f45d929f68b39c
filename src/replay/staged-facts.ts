import type { Domain } from '../../workflows/kernel/definition';
import type { Fact } from '../../workflows/kernel/fact';
import type { Queryable } from '../facts/postgres';
import { textFault } from '../text';
import type { ToldFact } from './told-fact';
import { wasBefore } from './topic-story';

/**
 * What the topics tell of one domain, put in order: topics have no order among each other, so a story can be folded
 * only when all of them were read, and a log may be larger than any memory. A temporary table holds it, which is
 * this session's own, is written to no log, and is gone with the session.
 */
const STAGED = `
CREATE TEMPORARY TABLE staged_facts (
  aggregate_id TEXT NOT NULL,
  version INTEGER NOT NULL,
  type TEXT NOT NULL,
  at TEXT NOT NULL,
  data JSON NOT NULL,
  context JSON,
  topic TEXT NOT NULL,
  partition INTEGER NOT NULL,
  record_offset BIGINT NOT NULL,
  appended_at BIGINT NOT NULL,
  PRIMARY KEY (aggregate_id, version)
)`;

export async function makeStage(session: Queryable): Promise<void> {
  await session.query('DROP TABLE IF EXISTS staged_facts');
  await session.query(STAGED);
}

/** Of each version the record that was on Kafka first stays, in whatever order they come. */
export async function stageFacts(session: Queryable, told: readonly ToldFact[]): Promise<void> {
  const first = new Map<string, ToldFact>();
  for (const one of told) {
    const key = `${one.fact.version} ${one.id}`;
    const known = first.get(key);
    if (!known || wasBefore(one, known)) first.set(key, one);
  }
  const rows = [...first.values()].map(({ id, fact, place, appendedAt }) => ({
    aggregate_id: id, version: fact.version, type: fact.type, at: fact.at, data: fact.data, context: fact.context ?? null,
    topic: place.topic, partition: place.partition, record_offset: String(place.offset), appended_at: appendedAt,
  }));
  await session.query(
    `INSERT INTO staged_facts AS known SELECT * FROM json_populate_recordset(NULL::staged_facts, $1::json)
     ON CONFLICT (aggregate_id, version) DO UPDATE
     SET type = EXCLUDED.type, at = EXCLUDED.at, data = EXCLUDED.data, context = EXCLUDED.context, topic = EXCLUDED.topic,
         partition = EXCLUDED.partition, record_offset = EXCLUDED.record_offset, appended_at = EXCLUDED.appended_at
     WHERE CASE WHEN (EXCLUDED.topic, EXCLUDED.partition) = (known.topic, known.partition) THEN EXCLUDED.record_offset < known.record_offset
                ELSE (EXCLUDED.appended_at, EXCLUDED.partition) < (known.appended_at, known.partition) END`,
    [JSON.stringify(rows)],
  );
}

/** Characters of an id. Source: CONTRACTS §7, "strings of 1 to 255 characters". */
const ID_MAX = 255;

/** Anybody may write to a topic: what no table can hold is told by nobody of ours. */
export function isStorable({ id, fact: { data, context } }: ToldFact): boolean {
  return id.length <= ID_MAX && !textFault({ id, data, context });
}

/** The staged facts of one aggregate, in order, and when the record of the first was appended. */
export interface StagedStory {
  readonly id: string;
  readonly facts: readonly Fact[];
  readonly receivedAt: string;
}

interface StagedRow {
  aggregate_id: string; version: number; type: string; at: string; data: object; context: object | null; appended_at: string;
}

/** Stories by pages, every one of them once; or those of some ids. */
export async function* stagedStories(session: Queryable, pageSize: number, ids?: readonly string[]): AsyncGenerator<StagedStory[], void, void> {
  for (let after = ''; ; ) {
    const { rows } = await session.query<StagedRow>(
      `SELECT f.aggregate_id, f.version, f.type, f.at, f.data, f.context, f.appended_at FROM (
         SELECT DISTINCT aggregate_id FROM staged_facts
         WHERE aggregate_id > $1 AND ($3::text[] IS NULL OR aggregate_id = ANY($3)) ORDER BY aggregate_id LIMIT $2
       ) page JOIN staged_facts f USING (aggregate_id) ORDER BY f.aggregate_id, f.version`,
      [after, pageSize, ids ?? null],
    );
    const last = rows.at(-1);
    if (!last) return;
    yield storiesOf(rows);
    after = last.aggregate_id;
  }
}

function storiesOf(rows: readonly StagedRow[]): StagedStory[] {
  const byId = new Map<string, StagedRow[]>();
  for (const row of rows) byId.set(row.aggregate_id, [...(byId.get(row.aggregate_id) ?? []), row]);
  return [...byId].map(([id, own]) => ({
    id,
    facts: own.map(({ version, type, at, data, context }) => ({ version, type, at, data, ...(context && { context }) })),
    receivedAt: new Date(Number(own[0]?.appended_at)).toISOString(),
  }));
}

/** A page of rows of the view that no topic tells of, in the order of their keys. */
export async function untoldRows(session: Queryable, { view: { table, key } }: Domain, after: string, pageSize: number): Promise<string[]> {
  const { rows } = await session.query<{ id: string }>(
    `SELECT v.${key}::text AS id FROM ${table} v
     WHERE v.${key}::text > $1 AND NOT EXISTS (SELECT 1 FROM staged_facts f WHERE f.aggregate_id = v.${key}::text)
     ORDER BY v.${key}::text LIMIT $2`,
    [after, pageSize],
  );
  return rows.map(({ id }) => id);
}
