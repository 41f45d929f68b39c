import type { Batch, Consumer as KafkajsConsumer, EachBatchPayload, IHeaders, KafkaMessage, TopicPartitionOffset } from 'kafkajs';
import type { Config } from '../config';
import { textOf } from '../errors';
import { grouped } from '../grouped';
import type { Logger } from '../log';
import { warnSparingly } from '../logging/sparing';
import { waitingPartitions } from '../metrics';
import { causeOf } from '../outside';
import { clusterName, contractName, openKafka } from './client';
import type { Chunk, Consumer, ConsumerOptions, IncomingRecord, Lag, OutgoingRecord } from './port';
import { watchProgress } from './watchdog';

/** Partitions of one member that are worked on at the same time. */
const PARTITIONS_AT_ONCE = 48;
/** A fetch that finds nothing returns after this, ms; also the longest that a stop waits for one. */
const FETCH_WAIT_MS = 500;
const BYTES_PER_PARTITION = 1_048_576;
const BACK_OFF_FIRST_MS = 100;
const BACK_OFF_MOST_MS = 5_000;

/**
 * A consumer of kafkajs whose faults are ours to handle: a chunk that could not be done waits here, with
 * its membership kept alive, because whatever hits one record for no fault of its own would hit the next.
 * A client that stops without saying so (every Node client has been seen to) is rebuilt by the watchdog.
 */
export function openConsumer(config: Config, log: Logger, options: ConsumerOptions, fail: (reason: unknown) => void): Consumer {
  const kafka = openKafka(config, log);
  const behind = new Map<string, Lag>();
  let consumer: KafkajsConsumer | undefined;
  let stopping = false;
  const watchdog = watchProgress(config, log, kafka, options, { rebuild, fail, lag: (lag) => behind.set(`${lag.topic}/${lag.partition}`, lag) });

  async function build(): Promise<void> {
    const built = kafka.consumer({
      groupId: clusterName(config, options.group),
      sessionTimeout: config.KAFKA_SESSION_TIMEOUT_MS,
      rebalanceTimeout: 30_000,
      heartbeatInterval: Math.max(500, Math.floor(config.KAFKA_SESSION_TIMEOUT_MS / 5)),
      maxWaitTimeInMs: FETCH_WAIT_MS,
      maxBytesPerPartition: BYTES_PER_PARTITION,
      allowAutoTopicCreation: false,
      readUncommitted: false,
    });
    consumer = built;
    built.on(built.events.CRASH, ({ payload }) => {
      options.onTrouble?.(payload.error);
      log.warn({ err: payload.error, group: options.group }, 'the Kafka client crashed');
      if (!payload.restart) void rebuild('the client gave up');
    });
    const joined = new Promise<void>((resolve) => {
      built.on(built.events.GROUP_JOIN, ({ payload }) => {
        watchdog.assigned(payload.memberAssignment);
        resolve();
      });
    });
    const commit = grouped((done: readonly Done[]) => commitAll(built, done), { keyOf: ({ offset: { topic, partition } }) => `${topic}/${partition}` });
    // What is never handed out (the mark that ends a transaction, what was taken back in one) is passed by all the same:
    // with the mark of a partner's transaction as its last record, a partition would be behind for ever.
    built.on(built.events.END_BATCH_PROCESS, ({ payload: { batchSize, topic, partition, lastOffset } }) => {
      if (batchSize > 0 || stopping || consumer !== built) return;
      const payload = { isRunning: () => true, commitOffsetsIfNecessary: () => Promise.resolve() };
      commit([{ offset: { topic, partition, offset: offsetAfter(lastOffset) }, payload }])
        .then(() => watchdog.progressed())
        .catch((thrown: unknown) => log.debug({ cause: textOf(thrown), topic, partition }, 'the end of a transaction is passed by later'));
    });
    await built.connect();
    await built.subscribe({ topics: options.topics.map((topic) => clusterName(config, topic)), fromBeginning: options.fromBeginning });
    await built.run({
      autoCommit: false,
      eachBatchAutoResolve: false,
      partitionsConsumedConcurrently: PARTITIONS_AT_ONCE,
      eachBatch: (payload) => takeBatch(built, payload, commit),
    });
    await joined;
  }

  async function rebuild(why: string): Promise<void> {
    const old = consumer;
    if (!old || stopping) return;
    consumer = undefined;
    log.warn({ why, group: options.group }, 'rebuilding the consumer');
    // It may hang, which is why it is being replaced; its connections die with their sockets.
    void old.disconnect().catch((thrown: unknown) => log.debug({ err: thrown }, 'the old consumer did not close'));
    await keepBuilding();
  }

  async function keepBuilding(): Promise<void> {
    for (let waitMs = BACK_OFF_FIRST_MS; !stopping; waitMs = Math.min(waitMs * 2, BACK_OFF_MOST_MS)) {
      try {
        return await build();
      } catch (thrown) {
        log.warn({ err: thrown, group: options.group }, 'cannot join the group yet');
        await consumer?.disconnect().catch((late: unknown) => log.debug({ err: late }, 'a half-built consumer did not close'));
        await sleep(waitMs);
      }
    }
  }

  async function takeBatch(owner: KafkajsConsumer, payload: EachBatchPayload, commit: (done: readonly Done[]) => Promise<void>): Promise<void> {
    const { batch, heartbeat, isRunning, isStale, resolveOffset } = payload;
    const topic = contractName(config, batch.topic);
    const done = watchdog.working(topic, batch.partition);
    let lost: unknown;
    const stale = () => stopping || lost !== undefined || !isRunning() || isStale() || consumer !== owner;
    const beat = setInterval(() => {
      heartbeat().catch((thrown: unknown) => (lost = thrown ?? new Error('heartbeat failed')));
    }, Math.max(500, Math.floor(config.KAFKA_SESSION_TIMEOUT_MS / 4)));
    try {
      for (const messages of cut(batch.messages, options.chunkMax)) {
        const last = messages.at(-1);
        if (!last || stale() || !(await untilDone(chunkOf(topic, batch, messages, stale)))) break;
        // Behind the last record may be the mark that ends its transaction, which comes with it and is never handed out.
        const passed = last === batch.messages.at(-1) ? batch.lastOffset() : last.offset;
        resolveOffset(passed);
        await commit([{ offset: { topic: batch.topic, partition: batch.partition, offset: offsetAfter(passed) }, payload }]);
        watchdog.progressed();
      }
    } finally {
      clearInterval(beat);
      done();
    }
    if (lost !== undefined) throw lost;
  }

  /** False when the partition was lost before the chunk was done. */
  async function untilDone(chunk: Chunk): Promise<boolean> {
    let waiting: { group: string; topic: string; cause: string } | undefined;
    const waitsFor = (cause?: string): void => {
      if (waiting) waitingPartitions.dec(waiting);
      waiting = cause === undefined ? undefined : { group: options.group, topic: chunk.topic, cause };
      if (waiting) waitingPartitions.inc(waiting);
    };
    for (let waitMs = BACK_OFF_FIRST_MS; !chunk.stale(); waitMs = Math.min(waitMs * 2, BACK_OFF_MOST_MS)) {
      try {
        await options.onChunk(chunk);
        waitsFor();
        return true;
      } catch (thrown) {
        waitsFor(causeOf(thrown));
        options.onTrouble?.(thrown);
        const why = textOf(thrown);
        warnSparingly(log, `${options.group} ${chunk.topic} ${why}`, { cause: why, group: options.group, topic: chunk.topic, partition: chunk.partition, waitMs }, 'a chunk waits');
        await sleep(waitMs);
      }
    }
    waitsFor();
    return false;
  }

  return {
    async start() {
      await keepBuilding();
      watchdog.start();
    },
    async stop() {
      stopping = true;
      await watchdog.stop();
      await consumer?.disconnect();
    },
    lag: () => [...behind.values()],
  };
}

/** How far a partition's records are done with, and the batch that they came in. */
interface Done {
  readonly offset: TopicPartitionOffset;
  readonly payload: Pick<EachBatchPayload, 'isRunning' | 'commitOffsetsIfNecessary'>;
}

/**
 * Commits partitions together that were done while another commit was under way: each commit is a record to the broker.
 * While a consumer stops, kafkajs silently drops the first kind of commit, which is the one that tries again.
 */
async function commitAll(consumer: KafkajsConsumer, done: readonly Done[]): Promise<void> {
  const offsets = done.map(({ offset }) => offset);
  const payload = done[0]?.payload;
  if (payload?.isRunning() !== false) return consumer.commitOffsets(offsets);
  const partitionsOf = (wanted: string) => offsets.filter(({ topic }) => topic === wanted).map(({ partition, offset }) => ({ partition, offset }));
  await payload.commitOffsetsIfNecessary({ topics: [...new Set(offsets.map(({ topic }) => topic))].map((topic) => ({ topic, partitions: partitionsOf(topic) })) });
}

/** Offsets are 64-bit numbers in decimal: JavaScript's own numbers miscount beyond 2^53. */
export function offsetAfter(offset: string): string {
  return String(BigInt(offset) + 1n);
}

function chunkOf(topic: string, batch: Batch, messages: KafkaMessage[], stale: () => boolean): Chunk {
  const { partition, highWatermark } = batch;
  return { topic, partition, highWatermark, stale, records: messages.map((message) => incomingRecord(topic, partition, message)) };
}

/** A message of kafkajs as the port has it. */
export function incomingRecord(topic: string, partition: number, { offset, key, value, headers = {}, timestamp }: KafkaMessage): IncomingRecord {
  const text: Record<string, string> = {};
  const raw: Record<string, string | Buffer | (string | Buffer)[]> = {};
  for (const [name, given] of Object.entries(headers)) {
    const held = withoutInherited(given);
    if (held === undefined) continue;
    raw[name] = held;
    // A header may have no value, which kafkajs gives as null whatever its types say.
    const last = Array.isArray(held) ? held.at(-1) : held;
    if (last !== null && last !== undefined) text[name] = String(last);
  }
  return { topic, partition, offset, key, value, headers: text, rawHeaders: raw as OutgoingRecord['headers'], timestamp: Number(timestamp) };
}

/**
 * kafkajs puts before the value of a header named `toString`, or as any other member that every object has, that
 * member: a function, which nobody could write to a dead-letter topic.
 */
function withoutInherited(held: IHeaders[string]): IHeaders[string] {
  if (!Array.isArray(held)) return held;
  const own = held.filter((one: unknown) => one === null || typeof one === 'string' || Buffer.isBuffer(one));
  return own.length === 1 ? own[0] : own;
}

function* cut<Item>(items: readonly Item[], size: number): Generator<Item[]> {
  for (let start = 0; start < items.length; start += size) yield items.slice(start, start + size);
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
