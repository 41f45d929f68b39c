import { randomUUID } from 'node:crypto';
import type { Consumer as KafkajsConsumer, EachBatchPayload } from 'kafkajs';
import type { Config } from '../config';
import { FazendaError, textOf } from '../errors';
import { clusterName, contractName, openKafka, PROMPT } from '../kafka/client';
import { incomingRecord } from '../kafka/incoming';
import type { IncomingRecord } from '../kafka/port';
import type { Logger } from '../log';
import { Course, type Span, type Turn } from './course';
import { HandOver } from './hand-over';

/**
 * Reading the log as it lies there: from given offsets to where it ends when asked, and no further. Nothing is
 * committed, so that nobody's place in the topics moves.
 */

export type { Span } from './course';

/** What a partition holds: its first offset that is still there, and the one after its last. */
export interface Extent {
  readonly topic: string;
  readonly partition: number;
  readonly low: bigint;
  readonly high: bigint;
}

/** A reader that hears nothing for this long gives up, ms. */
const SILENCE_MAX_MS = 30_000;
/** A fetch that finds nothing returns after this, ms. */
const FETCH_WAIT_MS = 100;
const SESSION_TIMEOUT_MS = 30_000;
const HEARTBEAT_EVERY_MS = 3_000;
/** Of one partition in one fetch, bytes. What is in memory at once is one fetch of each broker: 10 MiB at most. */
const BYTES_PER_PARTITION = 1_048_576;

export interface ReadOptions {
  /** Of one partition in one fetch, bytes; small where single records are wanted. A record that is larger still comes. */
  readonly bytesPerPartition?: number;
  readonly silenceMaxMs?: number;
  /** A name for the group of this reader, where only one of them reads at a time; by default one that nobody else has. */
  readonly group?: string;
}

/** Where the topics begin and end now, partition by partition. A topic that is not there has none. @throws FZ_KAFKA_AWAY */
export async function extentsOf(config: Config, log: Logger, topics: readonly string[]): Promise<Extent[]> {
  const admin = openKafka(config, log, PROMPT).admin();
  try {
    await admin.connect();
    const there = new Set(await admin.listTopics());
    const known = [...new Set(topics)].filter((topic) => there.has(clusterName(config, topic)));
    const extents = await Promise.all(known.map(async (topic) => {
      const partitions = await admin.fetchTopicOffsets(clusterName(config, topic));
      return partitions.map(({ partition, low, high }) => ({ topic, partition, low: BigInt(low), high: BigInt(high) }));
    }));
    return extents.flat();
  } catch (cause) {
    throw away(cause);
  } finally {
    await admin.disconnect();
  }
}

/** All of it. */
export function spanOf({ topic, partition, low, high }: Extent): Span {
  return { topic, partition, from: low, until: high };
}

/**
 * Every record of some topics, from where they begin to where they end now; see `readSpans`.
 * `from` names the offset to begin at, by `topic/partition`; one that is not named begins at its beginning.
 */
export async function* readTopics(
  config: Config, log: Logger, topics: readonly string[], from: ReadonlyMap<string, bigint> = new Map(),
): AsyncGenerator<readonly IncomingRecord[], void, void> {
  const spans = (await extentsOf(config, log, topics)).map((extent) => {
    const given = from.get(`${extent.topic}/${extent.partition}`) ?? extent.low;
    return { ...spanOf(extent), from: given > extent.low ? given : extent.low };
  });
  yield* readSpans(config, log, spans);
}

/**
 * The records of some stretches, in handfuls of one partition each: in order within a partition, and in no order
 * among partitions. Waits for whoever takes them, and holds a fetch in memory at most. Records of transactions
 * that were aborted do not come.
 * @throws FazendaError FZ_KAFKA_AWAY when the brokers cannot be reached or say nothing for `silenceMaxMs`.
 */
export async function* readSpans(
  config: Config, log: Logger, spans: readonly Span[], { bytesPerPartition = BYTES_PER_PARTITION, silenceMaxMs = SILENCE_MAX_MS, group = randomUUID() }: ReadOptions = {},
): AsyncGenerator<readonly IncomingRecord[], void, void> {
  const course = new Course(spans);
  if (course.over) return;
  const handOver = new HandOver<readonly IncomingRecord[]>();
  const consumer = openKafka(config, log, PROMPT).consumer({
    // kafkajs reads as a member of a group; one that never commits leaves nothing when it goes.
    groupId: clusterName(config, `fazenda-reader.${group}`),
    sessionTimeout: SESSION_TIMEOUT_MS,
    heartbeatInterval: HEARTBEAT_EVERY_MS,
    maxWaitTimeInMs: FETCH_WAIT_MS,
    maxBytesPerPartition: bytesPerPartition,
    allowAutoTopicCreation: false,
  });
  try {
    await follow(config, consumer, course, handOver);
    for (;;) {
      const records = await handOver.take(silenceMaxMs, () => new FazendaError('FZ_KAFKA_AWAY', `the topics said nothing for ${silenceMaxMs} ms`));
      if (!records) return;
      yield records;
    }
  } catch (thrown) {
    throw thrown instanceof FazendaError ? thrown : away(thrown);
  } finally {
    handOver.abandon();
    await consumer.disconnect().catch((thrown: unknown) => log.debug({ err: thrown }, 'a reader did not close'));
  }
}

/** Sets the client on its way; what it finds is handed over. */
async function follow(config: Config, consumer: KafkajsConsumer, course: Course, handOver: HandOver<readonly IncomingRecord[]>): Promise<void> {
  const { GROUP_JOIN, END_BATCH_PROCESS, CRASH } = consumer.events;
  const obey = (topic: string, partition: number, turn: Turn): void => {
    if (turn.kind === 'seek') consumer.seek({ topic, partition, offset: String(turn.offset) });
    if (turn.kind === 'done') consumer.pause([{ topic, partitions: [partition] }]);
    if (course.over) handOver.end();
  };
  consumer.on(CRASH, ({ payload }) => {
    if (!payload.restart) handOver.end(away(payload.error));
  });
  // It is heard before the first fetch, and again whenever the client had to begin anew.
  consumer.on(GROUP_JOIN, ({ payload }) => {
    for (const [topic, partitions] of Object.entries(payload.memberAssignment)) {
      for (const partition of partitions) obey(topic, partition, course.turn(contractName(config, topic), partition));
    }
  });
  // A stretch may end in what is never handed out: the mark at the end of a transaction.
  consumer.on(END_BATCH_PROCESS, ({ payload: { topic, partition, lastOffset } }) => {
    obey(topic, partition, course.pass(contractName(config, topic), partition, BigInt(lastOffset)));
  });
  await consumer.connect();
  await consumer.subscribe({ topics: course.topics.map((topic) => clusterName(config, topic)), fromBeginning: true });
  await consumer.run({ autoCommit: false, eachBatch: (payload) => handBatch(config, course, handOver, payload) });
}

async function handBatch(config: Config, course: Course, handOver: HandOver<readonly IncomingRecord[]>, { batch, heartbeat }: EachBatchPayload): Promise<void> {
  const topic = contractName(config, batch.topic);
  const wanted = batch.messages.filter(({ offset }) => course.wants(topic, batch.partition, BigInt(offset)));
  if (wanted.length === 0) return;
  let lost: unknown;
  const beat = setInterval(() => heartbeat().catch((thrown: unknown) => (lost = thrown)), HEARTBEAT_EVERY_MS);
  try {
    await handOver.give(wanted.map((message) => incomingRecord(topic, batch.partition, message)));
  } finally {
    clearInterval(beat);
  }
  // What was taken was taken, whatever became of the membership since.
  course.pass(topic, batch.partition, BigInt(batch.lastOffset()));
  if (lost !== undefined) throw lost;
}

function away(cause: unknown): FazendaError {
  return cause instanceof FazendaError ? cause : new FazendaError('FZ_KAFKA_AWAY', `the topics cannot be read (${textOf(cause)})`, {}, cause);
}
