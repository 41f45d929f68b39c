import type { Consumer as KafkajsConsumer, EachBatchPayload, TopicPartitionOffset } from 'kafkajs';
import type { Config } from '../config';
import { textOf } from '../errors';
import { grouped } from '../grouped';
import type { Logger } from '../log';
import { warnSparingly } from '../logging/sparing';
import { waitingPartitions } from '../metrics';
import { causeOf } from '../outside';
import { clusterName, contractName, openKafka } from './client';
import { incomingRecord } from './incoming';
import { PartitionLine } from './partition-line';
import type { Chunk, Consumer, ConsumerOptions, Lag } from './port';
import { watchProgress } from './watchdog';

/** Partitions of one member that are worked on at the same time. */
const PARTITIONS_AT_ONCE = 48;
/** A fetch that finds nothing returns after this, ms; also the longest that a stop waits for one. */
const FETCH_WAIT_MS = 500;
/**
 * From one commit to the next, ms: 20 records a second on 12 partitions were 20 commits, 1 to 2 of the 60 CPU-ms that
 * each cost on its way. What is done and not committed yet when a process dies comes once more, and is a duplicate.
 */
const COMMIT_REST_MS = 250;
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
  let membership: Membership | undefined;
  let stopping = false;
  const inHand = new Set<Promise<void>>();
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
    membership = join(built);
    built.on(built.events.CRASH, ({ payload }) => {
      options.onTrouble?.(payload.error);
      log.warn({ err: payload.error, group: options.group }, 'the Kafka client crashed');
      if (!payload.restart) void rebuild('the client gave up');
    });
    const joined = new Promise<void>((resolve) => {
      built.on(built.events.GROUP_JOIN, ({ payload }) => {
        watchdog.assigned(payload.memberAssignment);
        if (consumer === built) membership = join(built);
        resolve();
      });
    });
    // What is never handed out (the mark that ends a transaction, what was taken back in one) is passed by all the same:
    // with the mark of a partner's transaction as its last record, a partition would be behind for ever.
    built.on(built.events.END_BATCH_PROCESS, ({ payload: { batchSize, topic, partition, lastOffset } }) => {
      if (batchSize > 0 || stopping || consumer !== built || !membership) return;
      void lineOf(membership, topic, partition).take(0, lastOffset, Promise.resolve(true));
    });
    await built.connect();
    await built.subscribe({ topics: options.topics.map((topic) => clusterName(config, topic)), fromBeginning: options.fromBeginning });
    await built.run({
      autoCommit: false,
      eachBatchAutoResolve: false,
      partitionsConsumedConcurrently: PARTITIONS_AT_ONCE,
      // One that was replaced may still bring something: it is not this member's, and its offsets are none to commit.
      eachBatch: (payload) => (consumer === built ? takeBatch(payload) : Promise.resolve()),
    });
    await joined;
  }

  function join(built: KafkajsConsumer): Membership {
    const lines: Membership['lines'] = new Map();
    const commit = grouped(async (done: readonly TopicPartitionOffset[]) => {
      // What was due when the membership ended may be somebody else's by now, who is further than this.
      if (membership?.lines === lines) await built.commitOffsets([...done]);
    }, { restMs: COMMIT_REST_MS });
    return { lines, commit, commitsFail: false };
  }

  async function rebuild(why: string): Promise<void> {
    const old = consumer;
    if (!old || stopping) return;
    consumer = undefined;
    membership = undefined;
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

  /** Resolves when the next batch of the partition may come: its chunks are done, or have let it. */
  async function takeBatch({ batch, heartbeat, isRunning, isStale, resolveOffset }: EachBatchPayload): Promise<void> {
    const mine = membership;
    if (!mine) return;
    const topic = contractName(config, batch.topic);
    const line = lineOf(mine, batch.topic, batch.partition);
    let lost: unknown;
    let lose: (thrown: unknown) => void = () => undefined;
    const ended = new Promise<void>((resolve) => (lose = (thrown) => resolve(void (lost ??= thrown ?? new Error('heartbeat failed')))));
    const beat = setInterval(() => void heartbeat().catch(lose), Math.max(500, Math.floor(config.KAFKA_SESSION_TIMEOUT_MS / 4)));
    const moved = (): boolean => stopping || membership !== mine;
    const over = (): boolean => moved() || lost !== undefined || !isRunning() || isStale();
    try {
      for (const messages of cut(batch.messages, options.chunkMax)) {
        await Promise.race([line.room(options.chunkMax), ended]);
        const last = messages.at(-1);
        if (!last || over()) break;
        // Behind the last record may be the mark that ends its transaction, which comes with it and is never handed out.
        const passed = last === batch.messages.at(-1) ? batch.lastOffset() : last.offset;
        let hasLet = false;
        let letNext: () => void = () => undefined;
        const mayCome = new Promise<void>((resolve) => (letNext = () => resolve(void (hasLet = true))));
        const records = messages.map((message) => incomingRecord(topic, batch.partition, message));
        // Who has let the next one come is nobody's in this batch any more: what ends the batch does not end him.
        const chunk = { topic, partition: batch.partition, highWatermark: batch.highWatermark, records, stale: () => (hasLet ? moved() : over()), letNext };
        const done = untilDone(chunk, () => line.isFirst(passed));
        const committed = hold(line.take(messages.length, passed, done), done);
        await Promise.race([done, mayCome]);
        if (!hasLet && !(await done)) break;
        // A rest between commits holds up nobody. While they fail a partition waits, or all that it went on with would come again.
        if (!hasLet && mine.commitsFail) await Promise.race([committed, ended]);
        resolveOffset(passed);
      }
      if (stopping) await Promise.all(inHand);
    } finally {
      clearInterval(beat);
    }
    if (lost !== undefined) throw lost;
  }

  function lineOf(mine: Membership, topic: string, partition: number): PartitionLine {
    const { lines, commit } = mine;
    const key = `${topic}/${partition}`;
    const line = lines.get(key) ?? new PartitionLine((passed) => commitUntilMoved({ topic, partition, offset: offsetAfter(passed) }));
    lines.set(key, line);
    return line;

    /** Nothing that makes a commit fail is a record's own fault: it is tried until it succeeds, or the membership is over. */
    async function commitUntilMoved(offset: TopicPartitionOffset): Promise<void> {
      for (let waitMs = BACK_OFF_FIRST_MS; membership?.lines === lines; waitMs = Math.min(waitMs * 2, BACK_OFF_MOST_MS)) {
        try {
          await commit([offset]);
          mine.commitsFail = false;
          return watchdog.progressed();
        } catch (thrown) {
          mine.commitsFail = true;
          options.onTrouble?.(thrown);
          const cause = textOf(thrown);
          warnSparingly(log, `${options.group} ${topic} commit ${cause}`, { cause, group: options.group, ...offset, waitMs }, 'an offset is committed later');
          if (stopping) return;
          await sleep(waitMs);
        }
      }
    }
  }

  /** A stop waits for what is in hand. Work is no stall; a commit that never succeeds is one, and ends as such. */
  async function hold(taken: Promise<void>, done: Promise<boolean>): Promise<void> {
    const worked = watchdog.working();
    void done.then(worked);
    inHand.add(taken);
    await taken;
    inHand.delete(taken);
  }

  /** False when the partition was lost before the chunk was done. */
  async function untilDone(chunk: Chunk, isFirst: () => boolean): Promise<boolean> {
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
        if (isFirst()) waitsFor(causeOf(thrown));
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
      await Promise.all(inHand);
      await watchdog.stop();
      await consumer?.disconnect();
    },
    lag: () => [...behind.values()],
  };
}

/** What a member has from one joining of the group to the next. */
interface Membership {
  /** By cluster name of the topic and partition. */
  readonly lines: Map<string, PartitionLine>;
  /**
   * What is done while a commit is under way, or shortly behind it, is committed together: each commit is a record to the
   * broker. Resolves without one where the membership is over.
   */
  readonly commit: (offsets: readonly TopicPartitionOffset[]) => Promise<void>;
  /** The last of them was refused, or had no answer. */
  commitsFail: boolean;
}

/** Offsets are 64-bit numbers in decimal: JavaScript's own numbers miscount beyond 2^53. */
export function offsetAfter(offset: string): string {
  return String(BigInt(offset) + 1n);
}

function* cut<Item>(items: readonly Item[], size: number): Generator<Item[]> {
  for (let start = 0; start < items.length; start += size) yield items.slice(start, start + size);
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
