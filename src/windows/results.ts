import type { Queryable } from '../facts/postgres';
import { readWindow, type WindowValue } from './contract';

/** What was said last of a window. */
export interface Result {
  readonly window: WindowValue;
  /** The value of its record. */
  readonly text: string;
  /** ISO 8601 UTC. */
  readonly toldAt: string;
}

interface Row {
  readonly value: string;
  readonly told_at: Date;
}

/** Of some windows of a stream, by their starts. */
export async function resultsOf(db: Queryable, stream: string, starts: readonly string[]): Promise<Map<string, Result>> {
  const { rows } = await db.query<Row>('SELECT value, told_at FROM window_results WHERE stream = $1 AND start = ANY($2::timestamptz[])', [stream, starts]);
  return new Map(rows.map(resultOf).map((result) => [result.window.start, result]));
}

/** Windows whose time to close has come and that have not been said to be. */
export async function unclosed(db: Queryable, streams: readonly string[], most: number): Promise<Result[]> {
  const { rows } = await db.query<Row>(
    'SELECT value, told_at FROM window_results WHERE NOT closed AND closes_at <= now() AND stream = ANY($1) ORDER BY closes_at LIMIT $2', [streams, most]);
  return rows.map(resultOf);
}

/** What was written down and perhaps not sent. */
export async function unpublished(db: Queryable, most: number): Promise<Result[]> {
  const { rows } = await db.query<Row>('SELECT value, told_at FROM window_results WHERE NOT published ORDER BY stream, start LIMIT $1', [most]);
  return rows.map(resultOf);
}

/** Every window of a stream in the order of time, from behind one of them on. */
export async function resultsAfter(db: Queryable, stream: string, start: string | undefined, most: number): Promise<Result[]> {
  const { rows } = await db.query<Row>(
    'SELECT value, told_at FROM window_results WHERE stream = $1 AND ($2::timestamptz IS NULL OR start > $2) ORDER BY start LIMIT $3', [stream, start ?? null, most]);
  return rows.map(resultOf);
}

/** How many windows of each stream there are, and the sum of their revisions: two stores with the same have the same. */
export async function tallyOf(db: Queryable): Promise<Map<string, string>> {
  const { rows } = await db.query<{ stream: string; tally: string }>(`SELECT stream, count(*) || '/' || sum(revision) AS tally FROM window_results GROUP BY stream`);
  return new Map(rows.map(({ stream, tally }) => [stream, tally]));
}

/** Writes down what is to be said; a revision that is not newer than what stands there is left out. */
export async function keepResults(db: Queryable, results: readonly Result[], closesAfterMs: number, published: boolean): Promise<void> {
  if (results.length === 0) return;
  const rows = results.map(({ window, text, toldAt }) => ({
    stream: window.stream, start: window.start, revision: window.revision, closed: window.closed, value: text, told_at: toldAt,
    closes_at: new Date(Date.parse(window.end) + closesAfterMs).toISOString(),
  }));
  await db.query(
    `INSERT INTO window_results AS kept (stream, start, revision, closes_at, closed, value, told_at, published)
     SELECT stream, start, revision, closes_at, closed, value, told_at, $2
     FROM jsonb_to_recordset($1::jsonb) AS new (stream text, start timestamptz, revision int, closes_at timestamptz, closed boolean, value text, told_at timestamptz)
     ON CONFLICT (stream, start) DO UPDATE SET revision = EXCLUDED.revision, closes_at = EXCLUDED.closes_at, closed = EXCLUDED.closed,
       value = EXCLUDED.value, told_at = EXCLUDED.told_at, published = EXCLUDED.published
     WHERE kept.revision < EXCLUDED.revision OR (kept.revision = EXCLUDED.revision AND EXCLUDED.published AND NOT kept.published AND kept.value = EXCLUDED.value)`,
    [JSON.stringify(rows), published],
  );
}

export async function markPublished(db: Queryable, results: readonly Result[]): Promise<void> {
  const rows = results.map(({ window: { stream, start, revision } }) => ({ stream, start, revision }));
  await db.query(
    `UPDATE window_results AS kept SET published = true FROM jsonb_to_recordset($1::jsonb) AS sent (stream text, start timestamptz, revision int)
     WHERE kept.stream = sent.stream AND kept.start = sent.start AND kept.revision = sent.revision`, [JSON.stringify(rows)]);
}

/** All of a stream is to go out again, as it was said. */
export async function unpublish(db: Queryable, stream: string): Promise<void> {
  await db.query('UPDATE window_results SET published = false WHERE stream = $1', [stream]);
}

function resultOf({ value, told_at: toldAt }: Row): Result {
  const window = readWindow(value);
  if (!window) throw new Error('window_results holds a value that is no window');
  return { window, text: value, toldAt: toldAt.toISOString() };
}
