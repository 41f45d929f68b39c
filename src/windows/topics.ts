import { setTimeout as sleep } from 'node:timers/promises';
import type { Admin } from 'kafkajs';
import type { Config } from '../config';
import { FazendaError, textOf } from '../errors';
import type { Queryable } from '../facts/postgres';
import { clusterName, openKafka, PROMPT } from '../kafka/client';
import { letGo } from '../kafka/let-go';
import type { IncomingRecord } from '../kafka/port';
import type { Logger } from '../log';
import { extentsOf, readTopics } from '../replay/read-topics';
import { readWindow } from './contract';
import { keepResults, unpublish, type Result } from './results';

/** How long the marks of a transaction are waited for, ms. */
const GROWN_WITHIN_MS = 10_000;
const LOOK_AGAIN_MS = 20;

/** The next offset of each partition, by `topic/partition`. */
type Ends = ReadonlyMap<string, bigint>;

/**
 * Brings what we remember and the topics together, before anything is said. Only one writes to them, so whatever lies
 * behind the end that we know is ours and was forgotten with a database: it is taken over. Where a topic ends before that,
 * it is another one, made anew or put back: then all of it goes out again, as it was said.
 * @returns what the topics end with
 */
export async function reconcileTopics(config: Config, log: Logger, db: Queryable, topics: readonly string[], closesAfterMs: number): Promise<Ends> {
  const known = await knownEnds(db);
  const extents = await extentsOf(config, log, topics);
  for (const topic of topics) {
    const lost = extents.some((one) => one.topic === topic && one.high < (known.get(`${topic}/${one.partition}`) ?? 0n));
    if (!lost) continue;
    log.warn({ topic }, 'the topic is not the one that was written to; all of its windows go out again');
    await unpublish(db, topic);
    for (const { partition } of extents) known.delete(`${topic}/${partition}`);
  }
  for await (const records of readTopics(config, log, topics, known)) {
    const newest = new Map<string, Result>();
    for (const result of records.flatMap(resultOfRecord)) {
      const { stream, start, revision } = result.window;
      if ((newest.get(`${stream}/${start}`)?.window.revision ?? 0) < revision) newest.set(`${stream}/${start}`, result);
    }
    await keepResults(db, [...newest.values()], closesAfterMs, true);
  }
  const ends = new Map(extents.map(({ topic, partition, high }) => [`${topic}/${partition}`, high]));
  await rememberEnds(db, ends);
  return ends;
}

/** Somebody else may have written there, whatever he was told: what is no window of this topic is passed by. */
function resultOfRecord({ topic, value, headers }: IncomingRecord): Result[] {
  const text = value?.toString('utf8') ?? 'null';
  try {
    const window = readWindow(text);
    const toldAt = headers.ce_time ?? '';
    return window?.stream === topic && !Number.isNaN(Date.parse(toldAt)) ? [{ window, text, toldAt }] : [];
  } catch (thrown) {
    if (thrown instanceof SyntaxError) return [];
    throw thrown;
  }
}

async function knownEnds(db: Queryable): Promise<Map<string, bigint>> {
  const { rows } = await db.query<{ topic: string; partition: number; next_offset: string }>('SELECT topic, partition, next_offset FROM window_topics');
  return new Map(rows.map((row) => [`${row.topic}/${row.partition}`, BigInt(row.next_offset)]));
}

async function rememberEnds(db: Queryable, ends: Ends): Promise<void> {
  const rows = [...ends].map(([key, next]) => {
    const [topic, partition] = [key.slice(0, key.lastIndexOf('/')), Number(key.slice(key.lastIndexOf('/') + 1))];
    return { topic, partition, next_offset: String(next) };
  });
  await db.query(
    `INSERT INTO window_topics (topic, partition, next_offset)
     SELECT topic, partition, next_offset FROM jsonb_to_recordset($1::jsonb) AS new (topic text, partition int, next_offset bigint)
     ON CONFLICT (topic, partition) DO UPDATE SET next_offset = EXCLUDED.next_offset`, [JSON.stringify(rows)]);
}

/** Watches the ends of the topics while they are written to. */
export class TopicEnds {
  readonly #admin: Admin;

  constructor(readonly config: Config, readonly log: Logger, readonly topics: readonly string[], private ends: Ends) {
    this.#admin = openKafka(config, log, PROMPT).admin();
  }

  connect(): Promise<void> {
    return this.#admin.connect();
  }

  /**
   * After some records were acknowledged: remembers where the topics end now. What a transaction wrote counts there a
   * moment after it was acknowledged, once its marks are in every partition.
   * @throws FazendaError FZ_KAFKA_AWAY where they do not grow by so many: a topic was made anew under our hands
   */
  async grown(db: Queryable, records: number): Promise<void> {
    for (const until = Date.now() + GROWN_WITHIN_MS; ; await sleep(LOOK_AGAIN_MS)) {
      const now = await this.#read();
      const added = [...now].reduce((sum, [key, end]) => sum + end - (this.ends.get(key) ?? 0n), 0n);
      if (added >= BigInt(records)) {
        this.ends = now;
        return rememberEnds(db, now);
      }
      if (Date.now() > until) throw new FazendaError('FZ_KAFKA_AWAY', 'a topic of windows was made anew');
    }
  }

  async #read(): Promise<Ends> {
    try {
      const all = await Promise.all(this.topics.map(async (topic) =>
        (await this.#admin.fetchTopicOffsets(clusterName(this.config, topic))).map(({ partition, high }) => [`${topic}/${partition}`, BigInt(high)] as const)));
      return new Map(all.flat());
    } catch (cause) {
      throw new FazendaError('FZ_KAFKA_AWAY', `the ends of the topics are not known (${textOf(cause)})`, {}, cause);
    }
  }

  close(): Promise<void> {
    return letGo(this.#admin, this.log);
  }
}
