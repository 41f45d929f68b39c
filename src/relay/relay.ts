import { Client } from 'pg';
import type { Config } from '../config';
import { HINT_CHANNEL } from '../facts/hint';
import { SHARDS } from '../facts/schema';
import type { Producer } from '../kafka/port';
import type { Logger } from '../log';
import { BATCH_MAX, mark, publishPending } from './publish';

/** Without a hint a relay looks again after this, ms. */
const LOOK_EVERY_MS = 250;
const BACK_OFF_MOST_MS = 5_000;
/** First half of the two-part advisory lock of a shard; the second is the shard. */
const LOCK_SPACE = 5_140_612;

export interface Relay {
  start(): void;
  stop(): Promise<void>;
}

/**
 * Puts stored facts on Kafka, for ever. A relay owns a shard while its session holds the shard's advisory
 * lock: PostgreSQL gives it up with the session, so that a dead relay's shards are free at once and a
 * second relay is a warm stand-by that cannot disturb the order.
 */
export function openRelay(config: Config, log: Logger, producer: Producer): Relay {
  let stopped = false;
  let running: Promise<void> = Promise.resolve();
  let wake = () => {};
  /** It outlives a session: what was acknowledged is not sent again because something behind it failed. */
  const unmarked = new Set<string>();

  async function live(): Promise<void> {
    for (let waitMs = 100; !stopped; waitMs = Math.min(waitMs * 2, BACK_OFF_MOST_MS)) {
      const session = new Client({ connectionString: config.DATABASE_URL.reveal(), application_name: 'fazenda-relay', keepAlive: true });
      const broken = new Promise<never>((_, reject) => session.on('error', reject));
      // Whoever awaits it is told; when nobody does any longer, the session was being closed.
      broken.catch((thrown: unknown) => log.debug({ err: thrown }, 'the relay session ended'));
      try {
        await session.connect();
        await Promise.race([work(session, () => (waitMs = 100)), broken]);
      } catch (thrown) {
        log.warn({ err: thrown, waitMs }, 'the relay waits');
        await pause(waitMs);
      } finally {
        await session.end().catch((thrown: unknown) => log.debug({ err: thrown }, 'the relay session did not close'));
      }
    }
  }

  async function work(session: Client, wentWell: () => void): Promise<void> {
    session.on('notification', () => wake());
    await session.query(`LISTEN ${HINT_CHANNEL}`);
    // A mark that dies with the database before it is on the disk has its fact published once more, byte for byte.
    await session.query('SET synchronous_commit = off');
    // A plan that is kept must not be that of a table which was empty when it was made. What has no other way is reckoned
    // to cost so much then that each plan would be compiled first, which takes half a second.
    await session.query('SET enable_seqscan = off; SET jit = off');
    const owned = new Set<number>();
    while (!stopped) {
      await own(session, owned);
      const hinted = hint();
      const taken = await publishPending(session, producer, [...owned], log, unmarked);
      wentWell();
      // What was stored since this look began has its hint; one that was lost costs a wait, as ever.
      if (taken < BATCH_MAX) await Promise.race([hinted, pause(LOOK_EVERY_MS)]);
    }
    await mark(session, [...unmarked]);
  }

  /** Takes every shard that nobody holds; asked at each look, so that a dead relay's shards are taken soon. */
  async function own(session: Client, owned: Set<number>): Promise<void> {
    if (owned.size === SHARDS) return;
    const wanted = Array.from({ length: SHARDS }, (_, shard) => shard).filter((shard) => !owned.has(shard));
    const { rows } = await session.query<{ shard: number }>(
      'SELECT shard FROM unnest($2::int[]) AS shard WHERE pg_try_advisory_lock($1, shard)', [LOCK_SPACE, wanted]);
    for (const { shard } of rows) owned.add(shard);
  }

  function hint(): Promise<void> {
    return new Promise((resolve) => (wake = resolve));
  }

  return {
    start() {
      running = live();
    },
    async stop() {
      stopped = true;
      wake();
      await running;
    },
  };
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
