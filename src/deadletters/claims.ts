import type { Queryable } from '../facts/postgres';
import type { Note } from './note';

/**
 * The fence of redrives: a row before the record, marked only after Kafka's acknowledgement. One row a letter, so one
 * redrive a letter; one that is not marked may have arrived or not, and whoever asks again sends the same bytes again.
 */

/** Who makes a row, or takes one on, holds it for this long, s: longer than a send may take. */
const HOLD_S = 15;

/** A redrive as it is begun. */
export interface Begun {
  readonly by: string;
  readonly why: string | null;
  readonly at: string;
  readonly edited: boolean;
  /** SHA-256 of the value as it died, and as it is put back. */
  readonly before: string;
  readonly after: string;
}

/** A redrive that is ours to send until the hold lapses. */
export interface Claim {
  readonly letterId: string;
  readonly redrive: Begun;
  /** The bytes to put back; undefined where they are the letter's own. */
  readonly afterValue: Buffer | null | undefined;
  readonly heldUntil: string;
}

export interface Known extends Begun {
  readonly sent: boolean;
}

interface Row {
  after_sha256: string; edited: boolean; after_value: Buffer | null; redriven_by: string; why: string | null; redriven_at: Date; held_until: string; sent: boolean;
}
const COLUMNS = 'after_sha256, edited, after_value, redriven_by, why, redriven_at, held_until::text, sent_at IS NOT NULL AS sent';

/**
 * Makes the row, or takes on one that somebody has left unfinished. A retry without bytes of its own finishes whatever
 * was begun; with bytes, only the same ones: the others may be on the topic already.
 * @returns undefined where it was redriven, is held, or was begun with other bytes
 */
export async function claim(db: Queryable, letterId: string, proposed: Begun, afterValue: Buffer | null | undefined): Promise<Claim | undefined> {
  const { rows } = await db.query<Row>(
    `INSERT INTO dead_letter_redrives AS r (letter_id, before_sha256, after_sha256, edited, after_value, redriven_by, why, redriven_at, held_until)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, clock_timestamp() + make_interval(secs => $9))
     ON CONFLICT (letter_id, before_sha256) DO UPDATE SET held_until = EXCLUDED.held_until
     WHERE r.sent_at IS NULL AND r.held_until < clock_timestamp() AND (r.after_sha256 = EXCLUDED.after_sha256 OR NOT EXCLUDED.edited)
     RETURNING ${COLUMNS}`,
    [letterId, proposed.before, proposed.after, proposed.edited, proposed.edited ? afterValue : null, proposed.by, proposed.why, proposed.at, HOLD_S],
  );
  const [row] = rows;
  return row && { letterId, redrive: redriveOf(row, proposed.before), afterValue: row.edited ? row.after_value : undefined, heldUntil: row.held_until };
}

/** What is known of a letter's redrive. */
export async function known(db: Queryable, letterId: string, before: string): Promise<Known | undefined> {
  const { rows } = await db.query<Row>(`SELECT ${COLUMNS} FROM dead_letter_redrives WHERE letter_id = $1 AND before_sha256 = $2`, [letterId, before]);
  const [row] = rows;
  return row && { ...redriveOf(row, before), sent: row.sent };
}

function redriveOf({ redriven_by: by, why, redriven_at: at, edited, after_sha256: after }: Row, before: string): Begun {
  return { by, why, at: at.toISOString(), edited, before, after };
}

/** Kafka has it. Its bytes are on its topic now and need not be kept here. */
export async function markRedriven(db: Queryable, { letterId, redrive: { before } }: Claim, redrivenTo: string): Promise<void> {
  await db.query(
    `UPDATE dead_letter_redrives SET sent_at = COALESCE(sent_at, clock_timestamp()), redriven_to = COALESCE(redriven_to, $3), after_value = NULL WHERE letter_id = $1 AND before_sha256 = $2`,
    [letterId, before, redrivenTo],
  );
}

/** Kafka does not have it, as far as is known: the next try need not wait for the hold to lapse. */
export async function letGo(db: Queryable, { letterId, redrive: { before }, heldUntil }: Claim): Promise<void> {
  await db.query(
    `UPDATE dead_letter_redrives SET held_until = clock_timestamp() WHERE letter_id = $1 AND before_sha256 = $2 AND held_until = $3::timestamptz AND sent_at IS NULL`,
    [letterId, before, heldUntil],
  );
}

/** What the topic of redrives tells. It is there only where the record is, so it finishes what a crash left unmarked. */
export async function keepNote(db: Queryable, { letterId, redrivenTo, before, after, edited, by, why, at }: Note): Promise<void> {
  await db.query(
    `INSERT INTO dead_letter_redrives AS r (letter_id, before_sha256, after_sha256, edited, redriven_by, why, redriven_at, held_until, sent_at, redriven_to)
     VALUES ($1, $2, $3, $4, $5, $6, $7, clock_timestamp(), $7, $8)
     ON CONFLICT (letter_id, before_sha256) DO UPDATE SET sent_at = COALESCE(r.sent_at, EXCLUDED.sent_at),
       redriven_to = COALESCE(r.redriven_to, EXCLUDED.redriven_to), after_value = NULL`,
    [letterId, before, after, edited, by, why, at, redrivenTo],
  );
}
