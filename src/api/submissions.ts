import { setTimeout as sleep } from 'node:timers/promises';
import { FazendaError } from '../errors';
import type { Queryable } from '../facts/postgres';
import type { OutgoingRecord } from '../kafka/port';

/**
 * What the API accepted is a row before it is a record, and `sent_at` is set only after Kafka's
 * acknowledgement. A row that is not sent was not accepted: no reader sees it, and whoever asks for the
 * same again sends the same bytes again.
 */

/** The record as it is kept: text throughout, so that it comes back byte for byte. */
export interface KeptRecord {
  readonly topic: string;
  readonly key: string;
  /** The JSON text, by which the record is read here. */
  readonly value: string;
  readonly headers: Readonly<Record<string, string>>;
  /** What goes on the topic where that is not the JSON text; base64. */
  readonly wire?: string;
}

export interface Submission {
  readonly domain: string;
  readonly id: string;
  /** Of what was asked, without what differs from try to try: clocks and correlation ids. */
  readonly fingerprint: string;
  readonly record: KeptRecord;
  readonly answer: object;
}

/** A row that this request alone may send, until `heldSince` is older than the lease. */
export interface Held {
  readonly submission: Submission;
  readonly heldSince: string;
}

/**
 * Who makes a row, or takes one on, holds it for this long, seconds: longer than a send may take, so that
 * two requests for one id never send at the same time. `accepted_at` is when it was last taken on.
 */
const HOLD_S = 6;
const LOOK_EVERY_MS = 50;
/** Longest wait for somebody else's send, ms. */
const WAIT_MS = 9_000;

interface Row { fingerprint: string; record: KeptRecord; answer: object; sent: boolean }

/** The row of an aggregate, sent or not. */
export async function submissionOf(db: Queryable, domain: string, id: string): Promise<(Submission & { sent: boolean }) | undefined> {
  const { rows } = await db.query<Row>(
    `SELECT fingerprint, record, answer, sent_at IS NOT NULL AS sent FROM submissions
     WHERE aggregate_type = $1 AND aggregate_id = $2`,
    [domain, id],
  );
  return rows[0] && { domain, id, ...rows[0] };
}

/**
 * Makes the row and holds it, or waits for who holds it now. Answers `held` when it is ours to send:
 * ours as proposed, or an unsent one of the same request with its first ids and bytes; an unsent one of
 * another request is replaced. Answers `sent` when it has been sent.
 * @throws FazendaError FZ_CONFLICT when another body was sent, FZ_KAFKA_AWAY when the wait was in vain
 */
export async function hold(db: Queryable, proposed: Submission): Promise<{ held: Held } | { sent: Submission }> {
  const deadline = Date.now() + WAIT_MS;
  for (;;) {
    const held = await tryHold(db, proposed);
    if (held) return { held };
    const known = await submissionOf(db, proposed.domain, proposed.id);
    if (known?.sent) {
      if (known.fingerprint !== proposed.fingerprint) throw otherBody(proposed.id);
      return { sent: known };
    }
    if (Date.now() >= deadline) {
      throw new FazendaError('FZ_KAFKA_AWAY', 'another request for this id is being sent and has no answer yet', { retryAfterS: HOLD_S });
    }
    await sleep(LOOK_EVERY_MS);
  }
}

export function otherBody(id: string): FazendaError {
  return new FazendaError('FZ_CONFLICT', `${id} was accepted before with another body`);
}

async function tryHold(db: Queryable, proposed: Submission): Promise<Held | undefined> {
  const { domain, id, fingerprint, record, answer } = proposed;
  const keep = (column: string) => `CASE WHEN s.fingerprint = EXCLUDED.fingerprint THEN s.${column} ELSE EXCLUDED.${column} END`;
  const { rows } = await db.query<{ record: KeptRecord; answer: object; held_since: string }>(
    `INSERT INTO submissions AS s (aggregate_type, aggregate_id, fingerprint, record, answer, accepted_at)
     VALUES ($1, $2, $3, $4, $5, clock_timestamp())
     ON CONFLICT (aggregate_type, aggregate_id) DO UPDATE SET
       fingerprint = EXCLUDED.fingerprint,
       record = ${keep('record')},
       answer = ${keep('answer')},
       accepted_at = EXCLUDED.accepted_at
     WHERE s.sent_at IS NULL AND s.accepted_at < clock_timestamp() - make_interval(secs => $6)
     RETURNING record, answer, accepted_at::text AS held_since`,
    [domain, id, fingerprint, JSON.stringify(record), JSON.stringify(answer), HOLD_S],
  );
  const [row] = rows;
  return row && { heldSince: row.held_since, submission: { ...proposed, record: row.record, answer: row.answer } };
}

/** Kafka has it. Whose hold has lapsed meanwhile says so too: the same bytes are there either way. */
export async function markSent(db: Queryable, { domain, id, fingerprint }: Submission): Promise<void> {
  await db.query(
    `UPDATE submissions SET sent_at = COALESCE(sent_at, clock_timestamp())
     WHERE aggregate_type = $1 AND aggregate_id = $2 AND fingerprint = $3`,
    [domain, id, fingerprint],
  );
}

/** Kafka does not have it, as far as is known: the next request for this id need not wait for the hold to lapse. */
export async function letGo(db: Queryable, { submission: { domain, id }, heldSince }: Held): Promise<void> {
  await db.query(
    `UPDATE submissions SET accepted_at = accepted_at - make_interval(secs => $4)
     WHERE aggregate_type = $1 AND aggregate_id = $2 AND accepted_at = $3::timestamptz AND sent_at IS NULL`,
    [domain, id, heldSince, HOLD_S],
  );
}

/** The record as the producer wants it. */
export function outgoing({ topic, key, value, headers, wire }: KeptRecord): OutgoingRecord {
  return { topic, key, value: wire === undefined ? Buffer.from(value, 'utf8') : Buffer.from(wire, 'base64'), headers };
}
