import { setTimeout as sleep } from 'node:timers/promises';
import { FazendaError } from '../errors';
import type { Queryable } from '../facts/postgres';
import type { Reply } from './reply';

/** How long an answer is remembered, hours. */
export const REMEMBERED_HOURS = 24;
/** A claim whose holder has not answered by then counts as dead and is taken over, seconds. */
const LEASE_S = 10;
/** How long a concurrent use waits for the first one's answer, ms. */
const WAIT_MS = 10_000;
const LOOK_EVERY_MS = 50;
/** What a caller who waited in vain is told to wait before trying again, seconds. */
const BUSY_RETRY_AFTER_S = 2;

/** Whose key it is, and for what. */
export interface KeyUse {
  /** Method, path and caller: the same key elsewhere, or from somebody else, is another key. */
  readonly scope: string;
  readonly key: string;
  /** Of the validated body. */
  readonly fingerprint: string;
}

interface Claim {
  /** Made by the first use and kept by every later one, so that a retry after a crash makes the same ids. */
  readonly freshId: string;
  readonly until: string;
}

interface KeyRow { fingerprint: string; status: number | null; headers: Record<string, string> | null; body: string | null }

/**
 * Runs `work` at most once at a time for a key and gives every use of it the same answer. Answers below
 * 500 are remembered; a 5xx or a throw gives the claim back, its ids kept, so that the next try goes on
 * where this one ended.
 * @throws FazendaError FZ_IDEMPOTENCY_MISMATCH for the key with another body, FZ_IDEMPOTENCY_BUSY when
 *   the first use is still at work after 10 s
 */
export async function once(
  db: Queryable, use: KeyUse, freshId: string, work: (freshId: string) => Promise<Reply>, waitMs = WAIT_MS,
): Promise<Reply> {
  const deadline = Date.now() + waitMs;
  for (;;) {
    const claim = await claimKey(db, use, freshId);
    if (claim) return workUnder(db, use, claim, work);
    const known = await knownUse(db, use);
    if (known) return known;
    if (Date.now() >= deadline) {
      throw new FazendaError('FZ_IDEMPOTENCY_BUSY', 'the first request with this key has no answer yet', { retryAfterS: BUSY_RETRY_AFTER_S });
    }
    await sleep(LOOK_EVERY_MS);
  }
}

async function workUnder(db: Queryable, use: KeyUse, claim: Claim, work: (freshId: string) => Promise<Reply>): Promise<Reply> {
  let reply: Reply;
  try {
    reply = await work(claim.freshId);
  } catch (thrown) {
    await giveBack(db, use, claim);
    throw thrown;
  }
  if (reply.status >= 500) {
    await giveBack(db, use, claim);
    return reply;
  }
  return remember(db, use, reply);
}

/** New, older than a day, or left by a dead holder of the same request: then the key is ours for the lease. */
async function claimKey(db: Queryable, { scope, key, fingerprint }: KeyUse, freshId: string): Promise<Claim | undefined> {
  const { rows } = await db.query<{ fresh_id: string; claimed_until: string }>(
    `INSERT INTO idempotency_keys AS k (scope, key, fingerprint, fresh_id, claimed_until)
     VALUES ($1, $2, $3, $4, clock_timestamp() + make_interval(secs => $5))
     ON CONFLICT (scope, key) DO UPDATE SET
       fingerprint = EXCLUDED.fingerprint,
       fresh_id = CASE WHEN ${FORGOTTEN} THEN EXCLUDED.fresh_id ELSE k.fresh_id END,
       claimed_at = CASE WHEN ${FORGOTTEN} THEN EXCLUDED.claimed_at ELSE k.claimed_at END,
       claimed_until = EXCLUDED.claimed_until,
       status = NULL, headers = NULL, body = NULL
     WHERE ${FORGOTTEN}
        OR (k.status IS NULL AND k.claimed_until <= clock_timestamp() AND k.fingerprint = EXCLUDED.fingerprint)
     RETURNING fresh_id, claimed_until::text AS claimed_until`,
    [scope, key, fingerprint, freshId, LEASE_S],
  );
  const [row] = rows;
  return row && { freshId: row.fresh_id, until: row.claimed_until };
}

const FORGOTTEN = `k.claimed_at < clock_timestamp() - interval '${REMEMBERED_HOURS} hours'`;

async function knownUse(db: Queryable, { scope, key, fingerprint }: KeyUse): Promise<Reply | undefined> {
  const { rows } = await db.query<KeyRow>(
    'SELECT fingerprint, status, headers, body FROM idempotency_keys WHERE scope = $1 AND key = $2', [scope, key],
  );
  const [row] = rows;
  if (!row) return undefined;
  if (row.fingerprint !== fingerprint) {
    throw new FazendaError('FZ_IDEMPOTENCY_MISMATCH', 'this Idempotency-Key was used with another body');
  }
  return row.status === null ? undefined : { status: row.status, headers: row.headers ?? {}, body: row.body ?? '' };
}

/** Whoever remembers first is right: a holder that was taken over answers with what the other one said. */
async function remember(db: Queryable, use: KeyUse, reply: Reply): Promise<Reply> {
  await db.query(
    'UPDATE idempotency_keys SET status = $4, headers = $5, body = $6 WHERE scope = $1 AND key = $2 AND fingerprint = $3 AND status IS NULL',
    [use.scope, use.key, use.fingerprint, reply.status, JSON.stringify(reply.headers), reply.body],
  );
  return (await knownUse(db, use)) ?? reply;
}

async function giveBack(db: Queryable, { scope, key }: KeyUse, { until }: Claim): Promise<void> {
  await db.query(
    'UPDATE idempotency_keys SET claimed_until = clock_timestamp() WHERE scope = $1 AND key = $2 AND status IS NULL AND claimed_until = $3::timestamptz',
    [scope, key, until],
  );
}

/** Forgets keys that are older than their day. */
export async function forgetOldKeys(db: Queryable): Promise<void> {
  await db.query(`DELETE FROM idempotency_keys AS k WHERE ${FORGOTTEN}`);
}
