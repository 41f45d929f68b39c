import { randomInt } from 'node:crypto';
import { Client } from 'pg';
import type { Config } from '../config';
import type { Queryable } from '../facts/postgres';
import type { Logger } from '../log';
import { untilItWorks } from '../process';

/** First half of the two-part advisory lock of a notifier; the second is its number. */
const LOCK_SPACE = 5_140_613;
const NUMBER_MAX = 2_147_483_647;
const BACK_AFTER_MS = 500;

/** A notifier's sign of life: an advisory lock that PostgreSQL gives up with the session, whatever ends it. */
export interface Presence {
  /** What rows name this notifier by. */
  readonly number: number;
  /** False while the session is being renewed: then nothing may be claimed, because it would look abandoned. */
  readonly present: boolean;
  /** Whether the notifier of this number lives. */
  isThere(number: number): Promise<boolean>;
  stop(): Promise<void>;
}

/** Resolves when the lock is held; it is taken again, under the same number, whenever its session is lost. */
export async function openPresence(config: Config, log: Logger, db: Queryable): Promise<Presence> {
  const number = randomInt(1, NUMBER_MAX);
  let stopped = false;
  let session: Client | undefined;

  async function hold(): Promise<void> {
    const fresh = new Client({ connectionString: config.DATABASE_URL.reveal(), application_name: 'fazenda-notifier-presence', keepAlive: true });
    fresh.on('error', (thrown) => log.warn({ err: thrown }, 'the sign of life was lost'));
    fresh.once('end', () => {
      if (session !== fresh) return;
      session = undefined;
      setTimeout(() => void untilItWorks(log, 'PostgreSQL', holdUnlessStopped, () => stopped).catch(lost), BACK_AFTER_MS);
    });
    await fresh.connect();
    await fresh.query('SELECT pg_advisory_lock($1, $2)', [LOCK_SPACE, number]);
    session = fresh;
  }

  async function holdUnlessStopped(): Promise<void> {
    if (!stopped) await hold();
  }

  /** Only a stop ends the looking. */
  function lost(thrown: unknown): void {
    log.debug({ err: thrown }, 'the sign of life is not renewed any more');
  }

  await untilItWorks(log, 'PostgreSQL', hold);
  return {
    number,
    get present() {
      return session !== undefined;
    },
    async isThere(other) {
      const { rows } = await db.query<{ there: boolean }>(
        `SELECT EXISTS (
           SELECT 1 FROM pg_locks
           WHERE locktype = 'advisory' AND granted AND classid::bigint = $1 AND objid::bigint = $2 AND objsubid = 2
             AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
         ) AS there`,
        [LOCK_SPACE, other],
      );
      return rows[0]?.there === true;
    },
    async stop() {
      stopped = true;
      const ending = session;
      session = undefined;
      await ending?.end();
    },
  };
}
