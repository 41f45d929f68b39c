import { textOf } from '../errors';
import type { Config } from '../config';
import type { Queryable } from '../facts/postgres';
import { openConsumer } from '../kafka/consumer';
import type { Chunk, Consumer } from '../kafka/port';
import { REDRIVES_TOPIC, topicNames } from '../kafka/topics';
import type { Logger } from '../log';
import { keepNote } from './claims';
import { letterOf } from './letter';
import { noteOf } from './note';
import { keepLetter } from './store';

/** How often it is looked whether the index is still the one that is being filled, ms. */
const LOOK_EVERY_MS = 5_000;
/** Letters may be large: so few are in memory together. */
const CHUNK_MAX = 20;

export interface IndexerDeps {
  readonly config: Config;
  readonly db: Queryable;
  readonly log: Logger;
}

/**
 * Fills the index from the dead-letter topics and the topic of redrives. What it writes twice is the same, so
 * any number of them may run. Each index has a consumer group of its own, named by its epoch: where the tables were
 * lost, or are told to be made again, the new epoch's group begins at the beginning, whatever was committed before.
 * It never ends its process: the index falls behind at worst.
 */
export function openIndexer({ config, db, log }: IndexerDeps): { start(): void; stop(): Promise<void> } {
  let consumer: Consumer | undefined;
  let epoch: string | undefined;
  let ailing = false;
  let stopped = false;
  let timer: NodeJS.Timeout | undefined;
  let looking: Promise<void> = Promise.resolve();

  async function look(): Promise<void> {
    const { rows } = await db.query<{ epoch: string }>('SELECT epoch::text FROM dead_letter_index');
    const now = rows[0]?.epoch;
    if (now === undefined || (now === epoch && !ailing)) return;
    // One that ails may hang; the two of them write the same.
    void consumer?.stop().catch((thrown: unknown) => log.debug({ cause: textOf(thrown) }, 'the old consumer did not close'));
    if (stopped) return;
    [epoch, ailing] = [now, false];
    const options = {
      group: groupOf(now),
      topics: indexTopics(),
      fromBeginning: true,
      chunkMax: CHUNK_MAX,
      onChunk: (chunk: Chunk) => indexChunk(db, chunk),
    };
    consumer = openConsumer(config, log, options, (reason) => {
      log.error({ err: reason }, 'the index of dead letters begins anew');
      ailing = true;
    });
    void consumer.start();
  }

  function again(afterMs: number): void {
    if (stopped) return;
    timer = setTimeout(() => {
      looking = look().catch((thrown: unknown) => log.debug({ cause: textOf(thrown) }, 'the index of dead letters waits')).finally(() => again(LOOK_EVERY_MS));
    }, afterMs);
  }

  return {
    start: () => again(0),
    async stop() {
      stopped = true;
      clearTimeout(timer);
      await looking;
      await consumer?.stop();
    },
  };
}

function groupOf(epoch: string): string {
  return `dead-letter-index-${epoch}`;
}

/** The group that fills the index as it is now. */
export async function indexGroup(db: Queryable): Promise<string> {
  const { rows } = await db.query<{ epoch: string }>('SELECT epoch::text FROM dead_letter_index');
  return groupOf(rows[0]?.epoch ?? '');
}

/** What it reads. */
export function indexTopics(): string[] {
  return [...topicNames().deadLetters, REDRIVES_TOPIC];
}

/** One by one: the largest of them decides how much memory that takes. */
async function indexChunk(db: Queryable, { topic, records, stale }: Chunk): Promise<void> {
  for (const record of records) {
    if (stale()) throw new Error('the partition moved to another member');
    if (topic !== REDRIVES_TOPIC) await keepLetter(db, letterOf(record));
    else {
      const note = noteOf(record);
      if (note) await keepNote(db, note);
    }
  }
}

/** Makes the index again from the topics. Redrives stay: one that is not yet known to have arrived is nowhere else. */
export async function rebuildIndex(db: Queryable): Promise<void> {
  await db.query('WITH emptied AS (DELETE FROM dead_letters) UPDATE dead_letter_index SET epoch = gen_random_uuid()');
}
