import { setTimeout as sleep } from 'node:timers/promises';
import type { Pool } from 'pg';
import type { Config } from '../config';
import { textOf } from '../errors';
import { inTransaction } from '../facts/transaction';
import type { Codec } from '../kafka/codec';
import type { IncomingRecord } from '../kafka/port';
import type { Logger } from '../log';
import { forgetPlaces, indexedSoFar, keepPlaces } from './places';
import { extentsOf, readSpans, type Extent, type Span } from './read-topics';
import { topicsOf } from './told-fact';

/** How long it rests after it has caught up, ms. What is not in the index yet is read in the topic itself. */
const REST_MS = 15_000;
/** Records of one transaction. */
const BATCH_MAX = 2_000;
/** It rests this many times as long as it has worked: at most a tenth of a core is its own, whatever is to be done. */
const REST_PER_WORK = 9;
/** Any number: whoever holds this lock fills the index, so that it is filled once. */
const INDEX_LOCK = 5_140_613;

export interface PlaceIndexDeps {
  readonly config: Config;
  readonly log: Logger;
  readonly db: Pool;
  readonly codec: Codec;
}

/** Fills the index of places for ever, in rounds. It never ends its process: at worst the index falls behind. */
export function openPlaceIndex(deps: PlaceIndexDeps): { start(): void; stop(): Promise<void> } {
  const { log } = deps;
  const stopping = new AbortController();
  const rest = (ms: number): Promise<void> => sleep(ms, undefined, { signal: stopping.signal, ref: false }).catch(whenStopped);
  let running = Promise.resolve();

  async function live(): Promise<void> {
    while (!stopping.signal.aborted) {
      try {
        await indexPlaces(deps, { signal: stopping.signal, rest });
      } catch (thrown) {
        log.warn({ cause: textOf(thrown) }, 'the index of places waits');
      }
      await rest(REST_MS);
    }
  }
  function whenStopped(thrown: unknown): void {
    if (!stopping.signal.aborted) throw thrown;
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

interface Pace {
  readonly signal?: AbortSignal;
  readonly rest?: (ms: number) => Promise<void>;
}

/** One round: everything that is on the topics and not in the index. Does nothing while somebody else is at it. */
export async function indexPlaces({ config, log, db, codec }: PlaceIndexDeps, { signal, rest = async () => undefined }: Pace = {}): Promise<void> {
  const session = await db.connect();
  try {
    const { rows } = await session.query<{ mine: boolean }>('SELECT pg_try_advisory_lock($1) AS mine', [INDEX_LOCK]);
    if (!rows[0]?.mine) return;
    try {
      const extents = await extentsOf(config, log, topicsOf());
      const lows = new Map(extents.map((extent) => [`${extent.topic}/${extent.partition}`, extent.low]));
      const spans = await missingSpans(db, extents);
      for await (const records of batched(readSpans(config, log, spans, { group: 'places' }))) {
        if (signal?.aborted) return;
        const begun = performance.now();
        await codec.learn(records);
        await inTransaction(db, (tx) => keepPlaces(tx, codec, records, reachedBy(records, lows)));
        await rest((performance.now() - begun) * REST_PER_WORK);
      }
    } finally {
      await session.query('SELECT pg_advisory_unlock($1)', [INDEX_LOCK]);
    }
  } finally {
    session.release();
  }
}

/** What is not in the index of each partition; what its topic has forgotten is forgotten here too. */
async function missingSpans(db: Pool, extents: readonly Extent[]): Promise<Span[]> {
  const indexed = await indexedSoFar(db);
  const spans: Span[] = [];
  for (const { topic, partition, low, high } of extents) {
    const known = indexed.get(`${topic}/${partition}`);
    // An end that lies before what was read: the topic was made anew, and its offsets mean other records.
    if (known && high < known.next) await forgetPlaces(db, topic, partition, 'all');
    else if (known && low > known.low) await forgetPlaces(db, topic, partition, low);
    const from = known && high >= known.next && known.next > low ? known.next : low;
    spans.push({ topic, partition, from, until: high });
  }
  return spans;
}

/** Handfuls of a partition each, put together until they are worth a transaction. */
async function* batched(handfuls: AsyncIterable<readonly IncomingRecord[]>): AsyncGenerator<IncomingRecord[], void, void> {
  let together: IncomingRecord[] = [];
  for await (const records of handfuls) {
    for (const record of records) {
      together.push(record);
      if (together.length < BATCH_MAX) continue;
      yield together;
      together = [];
    }
  }
  if (together.length > 0) yield together;
}

function reachedBy(records: readonly IncomingRecord[], lows: ReadonlyMap<string, bigint>): { topic: string; partition: number; low: bigint; next: bigint }[] {
  const last = new Map(records.map((record) => [`${record.topic}/${record.partition}`, record]));
  return [...last].map(([key, { topic, partition, offset }]) => ({ topic, partition, low: lows.get(key) ?? 0n, next: BigInt(offset) + 1n }));
}
