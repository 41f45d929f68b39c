import { withoutDeadlock, type Queryable } from '../facts/postgres';
import type { Letter } from './compose';
import type { Slip } from './queue';

/** What is done to rows of `notifications`; each step is one statement, and says whether it was the one to make it. */

export interface Addressed extends Letter {
  readonly address: string | null;
}

interface SlipRow {
  ce_id: string;
  aggregate_type: string;
  aggregate_id: string;
  event: string;
}

const SLIP_COLUMNS = 'ce_id, aggregate_type, aggregate_id, event';

function slipOfRow(row: SlipRow): Slip {
  return { ceId: row.ce_id, domain: row.aggregate_type, aggregateId: row.aggregate_id, event: row.event };
}

/**
 * Adds a row for each letter that has none yet.
 * @returns which rows are new, and the slips of all that still have to be put on the queue, new or not.
 */
export async function addLetters(db: Queryable, letters: readonly Addressed[]): Promise<{ fresh: ReadonlySet<string>; unqueued: readonly Slip[] }> {
  if (letters.length === 0) return { fresh: new Set(), unqueued: [] };
  const rows = letters.map(({ ceId, domain, aggregateId, event, address, subject, text }) => ({
    ce_id: ceId, aggregate_type: domain, aggregate_id: aggregateId, event, address, subject, text, state: address === null ? 'addressless' : 'new',
  }));
  const added = await withoutDeadlock(() =>
    db.query<{ ce_id: string }>(
      `INSERT INTO notifications (ce_id, aggregate_type, aggregate_id, event, state, address, subject, text)
       SELECT l.ce_id, l.aggregate_type, l.aggregate_id, l.event, l.state, l.address, l.subject, l.text
       FROM json_populate_recordset(NULL::notifications, $1) AS l ORDER BY l.ce_id
       ON CONFLICT DO NOTHING RETURNING ce_id`,
      [JSON.stringify(rows)],
    ),
  );
  const { rows: unqueued } = await db.query<SlipRow>(
    `SELECT ${SLIP_COLUMNS} FROM notifications WHERE ce_id = ANY($1::uuid[]) AND state = 'new'`, [letters.map(({ ceId }) => ceId)]);
  return { fresh: new Set(added.rows.map((row) => row.ce_id)), unqueued: unqueued.map(slipOfRow) };
}

/** The queue has them safe. A notifier may have been quicker, and then this says nothing new. */
export async function markQueued(db: Queryable, ceIds: readonly string[]): Promise<void> {
  await withoutDeadlock(() =>
    db.query(
      `UPDATE notifications SET state = 'queued', changed_at = now()
       WHERE ce_id IN (SELECT ce_id FROM notifications WHERE ce_id = ANY($1::uuid[]) AND state = 'new' ORDER BY ce_id FOR UPDATE)`,
      [ceIds],
    ),
  );
}

/** A letter that is this notifier's to send. */
export interface Claimed {
  readonly address: string;
  readonly subject: string;
  readonly text: string;
  readonly tries: number;
  /** How long ago its fact was heard of, ms. */
  readonly ageMs: number;
}

/** Takes a letter for sending; of any number that try, one gets it. */
export async function claim(db: Queryable, ceId: string, sender: number): Promise<Claimed | undefined> {
  const { rows } = await db.query<{ address: string; subject: string; text: string; tries: number; age_ms: number }>(
    `UPDATE notifications SET state = 'sending', sender = $2, changed_at = now()
     WHERE ce_id = $1 AND state IN ('new', 'queued') AND address IS NOT NULL
     RETURNING address, subject, text, tries, (extract(epoch FROM now() - created_at) * 1000)::float8 AS age_ms`,
    [ceId, sender],
  );
  const [row] = rows;
  return row && { address: row.address, subject: row.subject, text: row.text, tries: row.tries, ageMs: row.age_ms };
}

export type LetterState = 'new' | 'queued' | 'sending' | 'sent' | 'refused' | 'perhaps-sent' | 'addressless';

export interface Standing {
  readonly state: LetterState;
  readonly sender: number | null;
  readonly reason: string | null;
}

/** How a letter stands that was not to be had; undefined where there is no row. */
export async function standingOf(db: Queryable, ceId: string): Promise<Standing | undefined> {
  const { rows } = await db.query<{ state: LetterState; sender: number | null; reason: string | null }>(
    'SELECT state, sender, reason FROM notifications WHERE ce_id = $1', [ceId]);
  return rows[0];
}

/** What came of sending, said by the one who sent it; false where it was no longer his. */
export async function settle(
  db: Queryable, ceId: string, sender: number,
  { state, reason = null, triedMore = false }: { state: 'queued' | 'sent' | 'refused' | 'perhaps-sent'; reason?: string | null; triedMore?: boolean },
): Promise<boolean> {
  const { rowCount } = await db.query(
    `UPDATE notifications SET state = $3, reason = $4, tries = tries + $5, sender = NULL, changed_at = now()
     WHERE ce_id = $1 AND state = 'sending' AND sender = $2`,
    [ceId, sender, state, reason, triedMore ? 1 : 0],
  );
  return rowCount === 1;
}

/** A broker that lost its disk lost slips; a letter that nobody has touched for this long gets another, ms. */
export const FORGOTTEN_AFTER_MS = 600_000;
const FORGOTTEN_MAX = 500;

/** Slips of letters that should have been sent by now; each is given out at most once in `afterMs`. */
export async function forgotten(db: Queryable, afterMs = FORGOTTEN_AFTER_MS): Promise<readonly Slip[]> {
  const { rows } = await db.query<SlipRow>(
    `UPDATE notifications SET changed_at = now()
     WHERE ce_id IN (
       SELECT ce_id FROM notifications
       WHERE state IN ('new', 'queued', 'sending') AND changed_at < now() - $1 * interval '1 millisecond'
       ORDER BY changed_at LIMIT ${FORGOTTEN_MAX} FOR UPDATE SKIP LOCKED)
     RETURNING ${SLIP_COLUMNS}`,
    [afterMs],
  );
  return rows.map(slipOfRow);
}
