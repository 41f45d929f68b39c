import type { KafkaConfig, TopicMessages } from 'kafkajs';
import type { Config } from '../config';
import { FazendaError, textOf } from '../errors';
import { grouped } from '../grouped';
import type { Logger } from '../log';
import { timed } from '../outside';
import { clusterName, openKafka } from './client';
import { letGo } from './let-go';
import { keyPartitioner } from './partitioner';
import type { OutgoingRecord, Place, Producer } from './port';
import { compressionOf, cutByBytes, partOf } from './requests';

/** How often brokers that are away are looked for, ms. */
const LOOK_AGAIN_MS = 500;
/** A broker that takes connections and says nothing is waited for long; that it is away is said after this, ms. */
const SAY_AFTER_MS = 3_000;

export interface ProducerOptions {
  readonly retry?: NonNullable<KafkaConfig['retry']>;
  /** A send that is not acknowledged by then is given up, ms. */
  readonly sendTimeoutMs: number;
}

export function openProducer(config: Config, log: Logger, { retry, sendTimeoutMs }: ProducerOptions): Producer {
  const kafka = openKafka(config, log, retry);
  const producer = kafka.producer({ allowAutoTopicCreation: false, idempotent: false, createPartitioner: keyPartitioner });
  let connected = false;
  let stopped = false;
  let looking = false;
  let saidAway = false;
  let connecting: Promise<void> | undefined;

  /** Connects, and after a failed send connects again; kafkajs itself notices a dead broker only when it sends. */
  async function look(): Promise<void> {
    if (looking) return;
    looking = true;
    while (!stopped && !connected) {
      const silent = setTimeout(() => sayAway('it does not answer'), SAY_AFTER_MS);
      try {
        await producer.disconnect();
        if (stopped) break;
        connecting = producer.connect();
        await connecting;
        connected = !stopped;
        if (saidAway) log.info('Kafka is back');
        saidAway = false;
      } catch (thrown) {
        sayAway(textOf(thrown));
        await new Promise((resolve) => setTimeout(resolve, LOOK_AGAIN_MS));
      } finally {
        clearTimeout(silent);
      }
    }
    looking = false;
  }

  /** A connection that was being made when the stop came would stay. */
  async function endEach(): Promise<void> {
    await producer.disconnect();
    await connecting?.catch((thrown: unknown) => log.debug({ cause: textOf(thrown) }, 'Kafka was away at the end'));
    await producer.disconnect();
  }

  /** Once for each absence, which may last for hours. */
  function sayAway(cause: string): void {
    if (!saidAway) log.warn({ cause, brokers: config.KAFKA_BROKERS }, 'Kafka is away; it is looked for until it is back');
    saidAway = true;
  }

  /**
   * Sends made while a request is under way go out together in the next: a burst of a thousand small sends
   * is a handful of requests, and records keep the order in which they were handed over.
   */
  const sendTogether = grouped(async (records: readonly OutgoingRecord[]) => {
    try {
      for (const part of cutByBytes(records)) {
        const request = { acks: -1, compression: compressionOf(part), topicMessages: byTopic(config, part.records) };
        await timed('kafka', 'produce', () => withinMs(producer.sendBatch(request), sendTimeoutMs));
      }
    } catch (cause) {
      throw lost(cause);
    }
  });

  async function send(records: readonly OutgoingRecord[]): Promise<void> {
    if (records.length === 0) return;
    if (!connected) throw away('no broker answers');
    await sendTogether(records);
  }

  async function place(record: OutgoingRecord): Promise<Place> {
    if (!connected) throw away('no broker answers');
    const timestampMs = Date.now();
    try {
      const topicMessages = byTopic(config, [record], String(timestampMs));
      const request = { acks: -1, compression: compressionOf(partOf(record)), topicMessages };
      const [placed] = await timed('kafka', 'produce', () => withinMs(producer.sendBatch(request), sendTimeoutMs));
      if (placed?.baseOffset === undefined) throw new Error('the broker acknowledged without saying where');
      const brokersMs = Number(placed.logAppendTime ?? -1);
      return { partition: placed.partition, offset: placed.baseOffset, timestampMs: brokersMs >= 0 ? brokersMs : timestampMs };
    } catch (cause) {
      throw lost(cause);
    }
  }

  function lost(cause: unknown): FazendaError {
    connected = false;
    void look();
    return away('the brokers did not acknowledge', cause);
  }

  return {
    start: () => void look(),
    get connected() {
      return connected;
    },
    send,
    place,
    async stop() {
      stopped = true;
      connected = false;
      await letGo({ disconnect: endEach }, log);
    },
  };
}

function away(message: string, cause?: unknown): FazendaError {
  return new FazendaError('FZ_KAFKA_AWAY', message, { retryAfterS: 2 }, cause);
}

/** Records as the client takes them: by topic, under the cluster's names. */
export function byTopic(config: Config, records: readonly OutgoingRecord[], timestamp?: string): TopicMessages[] {
  const topics = new Map<string, TopicMessages>();
  for (const { topic, partition, key, value, headers } of records) {
    const name = clusterName(config, topic);
    const group = topics.get(name) ?? { topic: name, messages: [] };
    group.messages.push({ key, value, ...(partition !== undefined && { partition }), headers: headers as Record<string, string>, ...(timestamp && { timestamp }) });
    topics.set(name, group);
  }
  return [...topics.values()];
}

async function withinMs<Result>(work: Promise<Result>, limitMs: number): Promise<Result> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no acknowledgement within ${limitMs} ms`)), limitMs);
  });
  // What comes after the limit is nobody's any more; without this it would count as unhandled.
  work.catch(() => undefined);
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
