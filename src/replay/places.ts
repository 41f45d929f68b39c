import type { Queryable } from '../facts/postgres';
import type { Codec } from '../kafka/codec';
import type { IncomingRecord } from '../kafka/port';
import { hintOf } from '../live/hints';
import { textFault } from '../text';
import type { Place } from './told-fact';

/**
 * Where the records of an aggregate lie. An index of the topics and nothing else: it can be thrown away, it may be
 * behind, and what it says is looked up in the topics before it is believed. `fact_places_read` says how far each
 * partition is in it, so that the rest can be read in the topic itself.
 */
export const FACT_PLACES = `
CREATE TABLE IF NOT EXISTS fact_places (
  topic TEXT NOT NULL,
  partition SMALLINT NOT NULL,
  record_offset BIGINT NOT NULL,
  aggregate_type TEXT NOT NULL,
  aggregate_id TEXT NOT NULL,
  version INTEGER NOT NULL,
  PRIMARY KEY (topic, partition, record_offset)
);
CREATE INDEX IF NOT EXISTS fact_places_by_aggregate ON fact_places (aggregate_id);
CREATE TABLE IF NOT EXISTS fact_places_read (
  topic TEXT NOT NULL,
  partition SMALLINT NOT NULL,
  -- What lies below the first is forgotten; the second is the first one that is not in the index.
  low_offset BIGINT NOT NULL,
  next_offset BIGINT NOT NULL,
  PRIMARY KEY (topic, partition)
);
`;

/** How far a partition is in the index. */
export interface Indexed {
  readonly low: bigint;
  readonly next: bigint;
}

/** By `topic/partition`. */
export async function indexedSoFar(db: Queryable): Promise<Map<string, Indexed>> {
  const { rows } = await db.query<{ topic: string; partition: number; low_offset: string; next_offset: string }>(
    'SELECT topic, partition, low_offset, next_offset FROM fact_places_read');
  return new Map(rows.map((row) => [`${row.topic}/${row.partition}`, { low: BigInt(row.low_offset), next: BigInt(row.next_offset) }]));
}

/** The places of an aggregate, of whatever domain, as far as they are in the index. */
export async function placesOf(db: Queryable, ids: readonly string[]): Promise<Place[]> {
  const { rows } = await db.query<{ topic: string; partition: number; record_offset: string }>(
    'SELECT topic, partition, record_offset FROM fact_places WHERE aggregate_id = ANY($1::text[])', [ids]);
  return rows.map((row) => ({ topic: row.topic, partition: row.partition, offset: BigInt(row.record_offset) }));
}

/** Anybody may write to a topic, and one header that the table cannot hold must not stop the index for good. */
function isStorable({ id, version }: { id: string; version: number }): boolean {
  return id.length <= ID_MAX && version <= VERSION_MAX && !textFault(id);
}

/** Characters of an id. Source: CONTRACTS §7, "strings of 1 to 255 characters". */
const ID_MAX = 255;
/** The largest that an INTEGER holds. */
const VERSION_MAX = 2_147_483_647;

/**
 * Puts records in, and says how far that brings each of their partitions: one transaction. `reached`: by partition,
 * the offset after the last.
 * @param codec has learnt what the records need
 */
export async function keepPlaces(
  tx: Queryable, codec: Codec, records: readonly IncomingRecord[], reached: readonly { topic: string; partition: number; low: bigint; next: bigint }[],
): Promise<void> {
  const places = records.flatMap((record) => {
    const hint = hintOf(record, codec);
    if (!hint || !isStorable(hint)) return [];
    return [{ topic: record.topic, partition: record.partition, record_offset: record.offset, aggregate_type: hint.domain, aggregate_id: hint.id, version: hint.version }];
  });
  await tx.query(
    `INSERT INTO fact_places (topic, partition, record_offset, aggregate_type, aggregate_id, version)
     SELECT topic, partition, record_offset, aggregate_type, aggregate_id, version
     FROM json_populate_recordset(NULL::fact_places, $1::json)
     ON CONFLICT (topic, partition, record_offset) DO UPDATE
     SET aggregate_type = EXCLUDED.aggregate_type, aggregate_id = EXCLUDED.aggregate_id, version = EXCLUDED.version`,
    [JSON.stringify(places)],
  );
  const rows = reached.map(({ topic, partition, low, next }) => ({ topic, partition, low_offset: String(low), next_offset: String(next) }));
  await tx.query(
    `INSERT INTO fact_places_read SELECT * FROM json_populate_recordset(NULL::fact_places_read, $1::json)
     ON CONFLICT (topic, partition) DO UPDATE SET low_offset = EXCLUDED.low_offset, next_offset = EXCLUDED.next_offset`,
    [JSON.stringify(rows)],
  );
}

/** Forgets a partition's places below an offset; where the topic was made anew, all of them. */
export async function forgetPlaces(db: Queryable, topic: string, partition: number, below: bigint | 'all'): Promise<void> {
  const to = below === 'all' ? null : String(below);
  await db.query('DELETE FROM fact_places WHERE topic = $1 AND partition = $2 AND ($3::bigint IS NULL OR record_offset < $3::bigint)', [topic, partition, to]);
  if (to === null) await db.query('DELETE FROM fact_places_read WHERE topic = $1 AND partition = $2', [topic, partition]);
  else await db.query('UPDATE fact_places_read SET low_offset = $3 WHERE topic = $1 AND partition = $2', [topic, partition, to]);
}
