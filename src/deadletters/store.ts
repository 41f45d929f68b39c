import type { Queryable } from '../facts/postgres';
import { RETENTION_MS } from '../kafka/topics';
import type { Begun } from './claims';
import { digestOf, type HeaderPair, type Letter } from './letter';

/** What became of a letter: nothing yet, a redrive that nobody knows to have arrived, or a redrive. */
export const STATES = ['open', 'unfinished', 'redriven'] as const;
export type State = (typeof STATES)[number];

/** How a letter was put back. */
export interface Redrive extends Begun {
  /** `topic/partition/offset` of the record that was put back; null until it is known. */
  readonly redrivenTo: string | null;
}

/** A letter in the list: all of it but its bytes. */
export interface Listed extends Omit<Letter, 'value' | 'headers'> {
  /** Null where the value is. */
  readonly valueBytes: number | null;
  readonly sha256: string;
  readonly state: State;
  readonly redrive: Redrive | null;
  /** `died_at` as the database writes it, for the cursor. */
  readonly cursor_at: string;
}

/** One row of both tables, as `LISTED` and `WHOLE` select it. */
export interface LetterRow {
  readonly [column: string]: unknown;
  id: string; topic: string; partition: number; record_offset: string; consumer_group: string | null; error_code: string; reason: string;
  died_at: Date; key: Buffer | null; value_sha256: string; redriven_from: string | null; letter_partition: number; letter_offset: string;
  value_bytes: number | null; cursor_at: string; state: State;
  redriven_by: string | null; why: string | null; redriven_at: Date | null; edited: boolean | null; after_sha256: string | null; redriven_to: string | null;
}

/** Columns of `LetterRow`; `FROM_LETTERS` has them. */
export const LISTED = `l.id, l.topic, l.partition, l.record_offset, l.consumer_group, l.error_code, l.reason, l.died_at, l.key, l.value_sha256,
  l.redriven_from, l.letter_partition, l.letter_offset, octet_length(l.value) AS value_bytes, l.died_at::text AS cursor_at,
  r.redriven_by, r.why, r.redriven_at, r.edited, r.after_sha256, r.redriven_to,
  CASE WHEN r.letter_id IS NULL THEN 'open' WHEN r.sent_at IS NULL THEN 'unfinished' ELSE 'redriven' END AS state`;
export const FROM_LETTERS = 'FROM dead_letters l LEFT JOIN dead_letter_redrives r ON r.letter_id = l.id AND r.before_sha256 = l.value_sha256';

export function listedOf(row: LetterRow): Listed {
  const { redriven_by: by, redriven_at: at, after_sha256: after, edited } = row;
  return {
    id: row.id, topic: row.topic, partition: row.partition, offset: row.record_offset, group: row.consumer_group, code: row.error_code,
    reason: row.reason, diedAt: row.died_at.toISOString(), key: row.key, redrivenFrom: row.redriven_from,
    letterPartition: row.letter_partition, letterOffset: row.letter_offset,
    valueBytes: row.value_bytes, sha256: row.value_sha256, cursor_at: row.cursor_at, state: row.state,
    redrive: by !== null && at !== null && after !== null
      ? { by, why: row.why, at: at.toISOString(), edited: edited === true, before: row.value_sha256, after, redrivenTo: row.redriven_to }
      : null,
  };
}

/**
 * Keeps a letter. The first writing of it counts; one of other bytes is that of a topic made anew, and takes its place.
 */
export async function keepLetter(db: Queryable, letter: Letter): Promise<void> {
  const headers = letter.headers.map(([name, value]) => [name, value?.toString('base64') ?? null]);
  await db.query(
    `INSERT INTO dead_letters AS l (id, topic, partition, record_offset, consumer_group, error_code, reason, died_at, key, value, value_sha256,
       headers, redriven_from, letter_partition, letter_offset)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)
     ON CONFLICT (id) DO UPDATE SET consumer_group = EXCLUDED.consumer_group, error_code = EXCLUDED.error_code, reason = EXCLUDED.reason,
       died_at = EXCLUDED.died_at, key = EXCLUDED.key, value = EXCLUDED.value, value_sha256 = EXCLUDED.value_sha256, headers = EXCLUDED.headers,
       redriven_from = EXCLUDED.redriven_from, letter_partition = EXCLUDED.letter_partition, letter_offset = EXCLUDED.letter_offset
     WHERE l.value_sha256 <> EXCLUDED.value_sha256 OR l.key IS DISTINCT FROM EXCLUDED.key`,
    [
      letter.id, letter.topic, letter.partition, letter.offset, letter.group, letter.code, letter.reason, letter.diedAt, letter.key, letter.value,
      digestOf(letter.value), JSON.stringify(headers), letter.redrivenFrom, letter.letterPartition, letter.letterOffset,
    ],
  );
}

/** A letter with its bytes, and what became of it. */
export interface Found {
  readonly letter: Letter;
  readonly listed: Listed;
}

export async function findLetter(db: Queryable, id: string): Promise<Found | undefined> {
  const { rows } = await db.query<LetterRow & { value: Buffer | null; headers: [string, string | null][] }>(
    `SELECT ${LISTED}, l.value, l.headers ${FROM_LETTERS} WHERE l.id = $1`, [id],
  );
  const [row] = rows;
  if (!row) return undefined;
  const headers = row.headers.map(([name, value]): HeaderPair => [name, value === null ? null : Buffer.from(value, 'base64')]);
  const listed = listedOf(row);
  return { listed, letter: { ...listed, value: row.value, headers } };
}

/** Letters are forgotten when their topic forgets them, and their redrives with them. */
export async function forgetOldLetters(db: Queryable): Promise<void> {
  const oldest = [RETENTION_MS / 1_000];
  await db.query('DELETE FROM dead_letters WHERE died_at < now() - make_interval(secs => $1)', oldest);
  await db.query(
    `DELETE FROM dead_letter_redrives r WHERE redriven_at < now() - make_interval(secs => $1)
     AND NOT EXISTS (SELECT FROM dead_letters l WHERE l.id = r.letter_id)`, oldest,
  );
}
