import { setTimeout as sleep } from 'node:timers/promises';
import type { Config } from '../config';
import { FazendaError } from '../errors';
import { openConsumer } from '../kafka/consumer';
import type { Chunk, Consumer, IncomingRecord, OutgoingRecord, Producer } from '../kafka/port';
import { openProducer } from '../kafka/producer';
import { createOwnTopics, PARTITIONS } from '../kafka/topics';
import type { Logger } from '../log';
import { untilItWorks } from '../process';
import { deadBody, DEAD_QUEUE, deathOf, DELAYS_MS, delayQueue, QUEUE, slipOf, slipText, type DelayMs, type SlipHandler, type SlipQueue, type Verdict } from './queue';

/** By which notifiers read where there is no RabbitMQ. */
export const QUEUE_GROUP = 'notifier-group';
/** Slips in one notifier's hands at a time, a partition. */
const AT_ONCE = 10;
const DELAYED_AT_ONCE = 50;
const SEND_TIMEOUT_MS = 10_000;
/** A first send waits this long for its connection, ms. */
const CONNECT_TIMEOUT_MS = 5_000;
const DUE_POLL_MS = 250;

const TOPICS = Object.fromEntries([[QUEUE, PARTITIONS], [DEAD_QUEUE, 1], ...DELAYS_MS.map((delayMs) => [delayQueue(delayMs), 1])]) as Record<string, number>;

/**
 * A Kafka topic as the queue of notifications, where no RabbitMQ can be had. Each delay is a topic whose records
 * wait for their time and go back to the first; they have one delay, so that none waits behind a longer one.
 */
export function openKafkaQueue(config: Config, log: Logger, fail: (reason: unknown) => void): SlipQueue {
  const consumers: Consumer[] = [];
  let producer: Producer | undefined;
  let ready: Promise<Producer> | undefined;
  let stopped = false;

  /** Topics and producer, once for both directions. */
  function open(): Promise<Producer> {
    ready ??= (async () => {
      await untilItWorks(log, 'Kafka', () => createOwnTopics(config, log, TOPICS), () => stopped);
      const made = openProducer(config, log, { sendTimeoutMs: SEND_TIMEOUT_MS });
      made.start();
      producer = made;
      for (const by = Date.now() + CONNECT_TIMEOUT_MS; !made.connected && Date.now() < by && !stopped; ) await sleep(DUE_POLL_MS / 10);
      return made;
    })();
    return ready;
  }

  async function send(records: readonly OutgoingRecord[]): Promise<void> {
    try {
      await (await open()).send(records);
    } catch (thrown) {
      if (thrown instanceof FazendaError && thrown.code === 'FZ_KAFKA_AWAY') throw new FazendaError('FZ_QUEUE_AWAY', thrown.message, {}, thrown);
      throw thrown;
    }
  }

  async function handleChunk(chunk: Chunk, handle: SlipHandler): Promise<void> {
    const passed = await Promise.allSettled(chunk.records.map(async (record) => {
      const slip = record.value === null ? undefined : slipOf(record.value);
      const verdict: Verdict = slip ? await handle(slip) : { kind: 'dead', reason: 'unreadable', detail: 'the record is no slip' };
      return passOn(record, verdict);
    }));
    // What has its verdict goes its way even where another has none; that one's chunk comes again.
    await send(passed.flatMap((one) => (one.status === 'fulfilled' ? one.value : [])));
    for (const one of passed) if (one.status === 'rejected') throw one.reason;
  }

  async function waitAndReturn(chunk: Chunk, delayMs: DelayMs): Promise<void> {
    for (const record of chunk.records) {
      while (Date.now() < record.timestamp + delayMs) {
        if (stopped || chunk.stale()) throw new FazendaError('FZ_QUEUE_AWAY', 'left to the next member');
        await sleep(Math.min(DUE_POLL_MS, record.timestamp + delayMs - Date.now()));
      }
      await send([{ topic: QUEUE, key: record.key, value: record.value, headers: record.rawHeaders }]);
    }
  }

  function enter(group: string, topic: string, chunkMax: number, onChunk: (chunk: Chunk) => Promise<void>): Promise<void> {
    const consumer = openConsumer(config, log, { group, topics: [topic], fromBeginning: true, chunkMax, onChunk }, fail);
    consumers.push(consumer);
    return consumer.start();
  }

  return {
    put: (slips) => send(slips.map((slip) => ({ topic: QUEUE, key: slip.ceId, value: Buffer.from(slipText(slip)), headers: {} }))),
    async take(handle) {
      await open();
      await Promise.all([
        enter(QUEUE_GROUP, QUEUE, AT_ONCE, (chunk) => handleChunk(chunk, handle)),
        // A group each, because a consumer that waits on one topic reads none of the others meanwhile.
        ...DELAYS_MS.map((delayMs) => enter(`${QUEUE_GROUP}.${delayQueue(delayMs)}`, delayQueue(delayMs), DELAYED_AT_ONCE, (chunk) => waitAndReturn(chunk, delayMs))),
      ]);
    },
    async stop() {
      stopped = true;
      await Promise.all(consumers.map((consumer) => consumer.stop()));
      await producer?.stop();
    },
  };
}

function passOn({ key, value, rawHeaders }: IncomingRecord, verdict: Verdict): OutgoingRecord[] {
  switch (verdict.kind) {
    case 'done':
      return [];
    case 'again':
      return [{ topic: delayQueue(verdict.afterMs), key, value, headers: rawHeaders }];
    case 'dead': {
      const death = deathOf(verdict, new Date());
      return [{ topic: DEAD_QUEUE, key, value: value && deadBody(value, death), headers: { ...rawHeaders, ...death } }];
    }
  }
}
