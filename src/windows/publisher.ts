import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from 'pg';
import { openClickHouse, type ClickHouse } from '../analytics/clickhouse';
import { migrateAnalytics } from '../analytics/migrate';
import type { Config } from '../config';
import { textOf } from '../errors';
import type { Queryable } from '../facts/postgres';
import { openFencedProducer } from '../kafka/fenced';
import { createTopics } from '../kafka/topics';
import type { Logger } from '../log';
import { marksStatement } from './looks';
import { windowsLeading, windowsRoundSeconds } from './metrics';
import { resultsAfter, tallyOf } from './results';
import { round, showInClickHouse } from './round';
import { windowStreams } from './streams';
import { EVENT_ROWS, WINDOW_TABLES, WINDOWS } from './tables';
import { reconcileTopics, TopicEnds } from './topics';

/** Any number: whoever holds this lock publishes the windows. */
const WINDOWS_LOCK = 5_140_615;
/** One that stands by asks for the lock this often, ms. */
const STAND_BY_MS = 1_000;
/** A round begins this long after the one before, at the earliest, ms. */
const ROUND_EVERY_MS = 1_000;
/** Where nothing has come in it looks at the windows only this often, ms: those that lack facts are waited for. */
const LOOK_EVERY_MS = 5_000;
/** It rests this many times as long as it has asked ClickHouse: however much there is, a fifth of its time at most. */
const REST_PER_WORK = 4;
/** A round that was long is not rested from for longer than this, ms. */
const REST_MOST_MS = 30_000;
/** The lock's connection says something this often, ms … */
const HEARTBEAT_MS = 5_000;
/** … and a process that was paused loses it after this long, s. */
const SILENCE_MOST_S = 30;
const BACK_OFF_MOST_MS = 10_000;
/** Windows that are shown to ClickHouse again in one insert. */
const SHOW_MAX = 2_000;
/** Name of the producer, by which the broker knows that there is one. */
const PRODUCER = 'windows';

export interface WindowsDeps {
  readonly config: Config;
  readonly log: Logger;
}

/**
 * Publishes the windows, for ever, in one process at a time; others stand by. The lock says whose turn it is, and the
 * broker's fence makes it true: a process that lost the lock and does not know it yet can neither write to the topics nor
 * to what is remembered of them.
 */
export function openWindows({ config, log }: WindowsDeps): { start(): void; stop(): Promise<void> } {
  const stopping = new AbortController();
  const { signal } = stopping;
  let running: Promise<void> = Promise.resolve();

  async function live(): Promise<void> {
    for (let waitMs = 250; !signal.aborted; waitMs = Math.min(waitMs * 2, BACK_OFF_MOST_MS)) {
      const session = new Client({ connectionString: config.DATABASE_URL.reveal(), application_name: 'fazenda-windows', keepAlive: true, statement_timeout: 30_000, connectionTimeoutMillis: 5_000 });
      const broken = new Promise<never>((_, reject) => session.on('error', reject));
      // Whoever awaits it is told; when nobody does any longer, the session was being closed.
      broken.catch((thrown: unknown) => log.debug({ err: thrown }, 'the session of the windows ended'));
      try {
        await session.connect();
        await Promise.race([takeTurn(session, () => (waitMs = 250)), broken]);
      } catch (thrown) {
        log.warn({ cause: textOf(thrown), waitMs }, 'the windows wait');
        await pause(waitMs);
      } finally {
        windowsLeading.set(0);
        await session.end().catch((thrown: unknown) => log.debug({ err: thrown }, 'the session of the windows did not close'));
      }
    }
  }

  /** Stands by until it has the lock, and publishes until something goes wrong. */
  async function takeTurn(session: Client, wentWell: () => void): Promise<void> {
    await session.query(`SET idle_session_timeout = '${SILENCE_MOST_S}s'`);
    while (!signal.aborted) {
      const { rows } = await session.query<{ mine: boolean }>('SELECT pg_try_advisory_lock($1) AS mine', [WINDOWS_LOCK]);
      if (rows[0]?.mine) return await lead(session, wentWell);
      await pause(STAND_BY_MS);
    }
  }

  async function lead(session: Client, wentWell: () => void): Promise<void> {
    const topics = windowStreams().map(({ topic }) => topic);
    const producer = openFencedProducer(config, log, PRODUCER);
    const clickhouse = openClickHouse(config);
    let ends: TopicEnds | undefined;
    const alive = setInterval(() => session.query('SELECT 1').catch((thrown: unknown) => log.debug({ err: thrown }, 'the lock may be lost')), HEARTBEAT_MS);
    try {
      // Only after nobody else can write is it known what was written.
      await producer.takeOver();
      await createTopics(config, log);
      ends = new TopicEnds(config, log, topics, await reconcileTopics(config, log, session, topics, config.WINDOW_LATENESS_MS));
      await ends.connect();
      await migrateAnalytics(config);
      for (const statement of WINDOW_TABLES) await clickhouse.command(statement);
      await showAll(session, clickhouse);
      windowsLeading.set(1);
      log.info('publishing the windows');
      let seen: { marks: string; atMs: number } | undefined;
      for (let number = 0; !signal.aborted; number += 1) {
        const begun = performance.now();
        const marks = JSON.stringify(await clickhouse.select(marksStatement(EVENT_ROWS)));
        const looks = marks !== seen?.marks || begun - seen.atMs > LOOK_EVERY_MS;
        const { left, askedMs } = await round({ session, clickhouse, producer, ends, latenessMs: config.WINDOW_LATENESS_MS }, { number, looks });
        wentWell();
        if (looks) seen = left ? undefined : { marks, atMs: begun };
        windowsRoundSeconds.observe((performance.now() - begun) / 1_000);
        await pause(Math.max(ROUND_EVERY_MS, Math.min(askedMs * REST_PER_WORK, REST_MOST_MS)));
      }
    } finally {
      clearInterval(alive);
      windowsLeading.set(0);
      await Promise.all([producer.stop(), clickhouse.close(), ends?.close()]);
    }
  }

  async function pause(ms: number): Promise<void> {
    await sleep(ms, undefined, { signal }).catch((thrown: unknown) => {
      if (!signal.aborted) throw thrown;
    });
  }

  return {
    start() {
      running = live();
    },
    async stop() {
      stopping.abort();
      await running;
    },
  };
}

/** Where ClickHouse does not have what was said, as after it was emptied or between two stores of a crash, it gets it again. */
async function showAll(db: Queryable, clickhouse: ClickHouse): Promise<void> {
  const shown = new Map((await clickhouse.select<{ stream: string; tally: string }>(
    `SELECT stream, concat(toString(count()), '/', toString(sum(revision))) AS tally FROM ${WINDOWS} GROUP BY stream`)).map(({ stream, tally }) => [stream, tally]));
  for (const [stream, tally] of await tallyOf(db)) {
    if (shown.get(stream) === tally) continue;
    for (let after: string | undefined; ;) {
      const results = await resultsAfter(db, stream, after, SHOW_MAX);
      await showInClickHouse(clickhouse, results);
      after = results.at(-1)?.window.start;
      if (results.length < SHOW_MAX) break;
    }
  }
}
