import type { Queryable } from '../facts/postgres';
import { factsOfMany, type StoredFact } from '../facts/read';
import { NUMBER_OF_ID, WHOLE, type Slice } from './slices';
import type { Source } from './sources';

/** Aggregates looked at together. */
const PAGE = 400;

/** Which part of all aggregates is looked at; without anything, all of them. */
export interface Range {
  /** `aggregate_type`s. */
  readonly aggregates?: readonly string[];
  readonly ids?: readonly string[];
  /** Those of which something was told at this instant or later, ISO 8601. */
  readonly since?: string;
  /** And before this one. */
  readonly until?: string;
}

/** The aggregates of a source that have facts, page by page in the order of their ids, each with all its facts. */
export async function* pagesOfFacts(db: Queryable, source: Source, range: Range, slice: Slice = WHOLE): AsyncGenerator<Map<string, StoredFact[]>, void, void> {
  for (let ids = await idsAfter(db, source, range, slice, null); ids.length > 0; ids = await idsAfter(db, source, range, slice, ids.at(-1) ?? null)) {
    yield await factsById(db, source, ids);
  }
}

/** The ids alone. */
export async function idsOfFacts(db: Queryable, source: Source, range: Range, slice: Slice = WHOLE): Promise<string[]> {
  return await idsAfter(db, source, range, slice, null, null);
}

async function idsAfter(db: Queryable, source: Source, range: Range, slice: Slice, after: string | null, most: number | null = PAGE): Promise<string[]> {
  const { rows } = await db.query<{ aggregate_id: string }>(
    `SELECT DISTINCT aggregate_id FROM facts
     WHERE aggregate_type = $1 AND ($2::text IS NULL OR aggregate_id > $2)
       AND ($3::text[] IS NULL OR aggregate_id = ANY($3))
       AND ($4::timestamptz IS NULL OR at >= $4) AND ($5::timestamptz IS NULL OR at < $5)
       AND ($6 = 1 OR ${NUMBER_OF_ID} % $6 = $7)
     ORDER BY aggregate_id LIMIT $8`,
    [source.name, after, range.ids ?? null, range.since ?? null, range.until ?? null, slice.of, slice.at, most],
  );
  return rows.map((row) => row.aggregate_id);
}

/** All facts of some aggregates; one that has none has an empty list. */
export async function factsById(db: Queryable, source: Source, ids: readonly string[]): Promise<Map<string, StoredFact[]>> {
  const byId = new Map<string, StoredFact[]>(ids.map((id) => [id, []]));
  for (const fact of await factsOfMany(db, source.name, ids.map((id) => ({ id, version: 1 })))) byId.get(fact.id)?.push(fact);
  return byId;
}

/** Facts stored now, roughly. */
export async function countFacts(db: Queryable): Promise<number> {
  const { rows } = await db.query<{ count: number }>('SELECT count(*)::int AS count FROM facts');
  return rows[0]?.count ?? 0;
}
