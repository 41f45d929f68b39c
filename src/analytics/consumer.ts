import { setTimeout as sleep } from 'node:timers/promises';
import type { Config } from '../config';
import { FazendaError, textOf } from '../errors';
import type { Queryable } from '../facts/postgres';
import { openCodec } from '../kafka/codec';
import { openConsumer } from '../kafka/consumer';
import type { Chunk, Consumer } from '../kafka/port';
import type { Logger } from '../log';
import { openBatches, type BatchLimits } from './batch';
import { openClickHouse } from './clickhouse';
import { eventOf, eventTopics, type EventRow } from './event';
import { ANALYTICS_GROUP, beginFill, type Fill } from './fill';
import { analyticsBatchRows, analyticsInsertSeconds, analyticsRecords } from './metrics';
import { migrateAnalytics } from './migrate';

/** Records of one partition that wait for their insert together. */
const CHUNK_MAX = 2_000;
/** How often it is looked whether the tables are still those that are being filled, ms. */
const LOOK_EVERY_MS = 5_000;
const BACK_OFF_FIRST_MS = 250;
const BACK_OFF_MOST_MS = 5_000;

export interface AnalyticsDeps {
  readonly config: Config;
  readonly log: Logger;
  /** Knows the schemas that our own records were written by. */
  readonly db: Queryable;
  readonly limits?: BatchLimits;
  /** Ends the process, for its supervisor to start another that makes and fills the tables anew. */
  fail(reason: unknown): void;
}

/**
 * Moves every event from its topic into ClickHouse. An offset is committed after the insert of all before it: so each
 * event is put in once or more, and read as one. While ClickHouse, Kafka or the registry is away the partitions wait.
 * @throws FazendaError FZ_ANALYTICS_OFF where no ClickHouse is set
 */
export function openAnalytics({ config, log, db, limits, fail }: AnalyticsDeps): { start(): void; stop(): Promise<void> } {
  const clickhouse = openClickHouse(config);
  const codec = openCodec(config, db);
  const stopping = new AbortController();
  let consumer: Consumer | undefined;
  let running: Promise<void> = Promise.resolve();
  let fill: Fill | undefined;

  const batches = openBatches<EventRow>(async (rows) => {
    const endTimer = analyticsInsertSeconds.startTimer();
    // Looked at first: rows that go into tables which somebody just made anew would be all that they have.
    await fill?.check();
    await clickhouse.insert('event_log', rows);
    endTimer();
    analyticsBatchRows.observe(rows.length);
  }, limits);

  async function take(chunk: Chunk): Promise<void> {
    await codec.learn(chunk.records);
    const rows = chunk.records.flatMap((record) => eventOf(record, codec) ?? []);
    try {
      await batches.add(rows);
    } catch (thrown) {
      if (isAnew(thrown)) fail(thrown);
      throw thrown;
    }
    analyticsRecords.inc({ topic: chunk.topic, fate: 'stored' }, rows.length);
    analyticsRecords.inc({ topic: chunk.topic, fate: 'no_event' }, chunk.records.length - rows.length);
  }

  async function begin(): Promise<void> {
    fill = await untilThere(async () => {
      await migrateAnalytics(config);
      return beginFill({ clickhouse, config, log });
    });
    if (!fill || stopping.signal.aborted) return;
    const options = { group: ANALYTICS_GROUP, topics: eventTopics(), fromBeginning: true, chunkMax: CHUNK_MAX, onChunk: take };
    consumer = openConsumer(config, log, options, fail);
    await consumer.start();
    await keepLooking(fill);
  }

  /** Whoever has nothing to put in would not notice that the tables are others. */
  async function keepLooking(known: Fill): Promise<void> {
    while (await rested(LOOK_EVERY_MS)) {
      try {
        await known.check();
      } catch (thrown) {
        if (isAnew(thrown)) return fail(thrown);
        log.debug({ cause: textOf(thrown) }, 'ClickHouse cannot be looked at');
      }
    }
  }

  async function untilThere<Result>(attempt: () => Promise<Result>): Promise<Result | undefined> {
    for (let waitMs = BACK_OFF_FIRST_MS; !stopping.signal.aborted; waitMs = Math.min(waitMs * 2, BACK_OFF_MOST_MS)) {
      try {
        return await attempt();
      } catch (thrown) {
        log.warn({ cause: textOf(thrown) }, 'analytics waits');
        await rested(waitMs);
      }
    }
    return undefined;
  }

  /** False once it is to stop. */
  async function rested(ms: number): Promise<boolean> {
    await sleep(ms, undefined, { signal: stopping.signal }).catch((thrown: unknown) => {
      if (!stopping.signal.aborted) throw thrown;
    });
    return !stopping.signal.aborted;
  }

  return {
    start() {
      running = begin();
      running.catch(fail);
    },
    async stop() {
      stopping.abort();
      await consumer?.stop();
      await running;
      await clickhouse.close();
    },
  };
}

/** The tables are gone, or are not the ones that this process began to fill. */
function isAnew(thrown: unknown): boolean {
  return thrown instanceof FazendaError && thrown.code === 'FZ_CLICKHOUSE_EMPTY';
}
