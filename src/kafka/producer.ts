import { CompressionTypes, type KafkaConfig, type TopicMessages } from 'kafkajs';
import type { Config } from '../config';
import { FazendaError, textOf } from '../errors';
import { grouped } from '../grouped';
import type { Logger } from '../log';
import { clusterName, openKafka } from './client';
import { letGo } from './let-go';
import type { OutgoingRecord, Place, Producer } from './port';

/** kafkajs makes one record batch a partition of each request, and a broker bounds a batch; so requests are cut. */
const REQUEST_BYTES_MAX = 1_048_576;
/** What a record and each of its headers have beside their contents: lengths and differences, 10 bytes each at most. */
const RECORD_OVERHEAD_BYTES = 64;
const HEADER_OVERHEAD_BYTES = 20;

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
  const producer = kafka.producer({ allowAutoTopicCreation: false, idempotent: false });
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
        await withinMs(producer.sendBatch(request), sendTimeoutMs);
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
      const [placed] = await withinMs(producer.sendBatch({ acks: -1, compression: compressionOf({ records: [record], bytes: bytesOf(record) }), topicMessages }), sendTimeoutMs);
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

function byTopic(config: Config, records: readonly OutgoingRecord[], timestamp?: string): TopicMessages[] {
  const topics = new Map<string, TopicMessages>();
  for (const { topic, partition, key, value, headers } of records) {
    const name = clusterName(config, topic);
    const group = topics.get(name) ?? { topic: name, messages: [] };
    group.messages.push({ key, value, ...(partition !== undefined && { partition }), headers: headersOf(headers) as Record<string, string>, ...(timestamp && { timestamp }) });
    topics.set(name, group);
  }
  return [...topics.values()];
}

/**
 * A header may come without a value (Java's clients write such). kafkajs can write one, but asks for its length
 * before it looks whether there is any, and throws: its partition would wait for ever. So the first look finds an
 * empty text, and all others nothing. `test/kafka-port.test.ts` says when another version looks otherwise.
 */
function headersOf(headers: OutgoingRecord['headers']): OutgoingRecord['headers'] {
  if (!Object.values(headers).some(lacks)) return headers;
  return Object.fromEntries(Object.entries(headers).map(([key, held]) => [key, lacks(held) ? lookedAtTwice(key, Array.isArray(held) ? held : [held]) : held]));
}

/** A list whose `map`, which is all that kafkajs asks of it, makes headers of it. */
function lookedAtTwice(key: string, values: readonly (string | Buffer)[]): readonly (string | Buffer)[] {
  return Object.assign([...values], { map: () => values.map((value) => headerOf(key, value)) });
}

function headerOf(key: string, held: string | Buffer | null): object {
  let looks = 0;
  return {
    key,
    get value() {
      looks += 1;
      return held ?? (looks === 1 ? '' : null);
    },
  };
}

/** Whatever its type says: what was read from a record may be null. */
function lacks(held: unknown): boolean {
  return held === null || held === undefined || (Array.isArray(held) && held.some(lacks));
}

/** Some records that go out in one request. */
interface Part {
  readonly records: OutgoingRecord[];
  /** An upper bound of what they take. */
  bytes: number;
}

/**
 * A record over the limit is alone in its request. It can only be one that is put on as it came, and it may
 * have come packed: unpacked it could be more than any broker takes, and its partition would wait for ever.
 */
function compressionOf({ bytes }: Part): CompressionTypes {
  return bytes > REQUEST_BYTES_MAX ? CompressionTypes.GZIP : CompressionTypes.None;
}

function cutByBytes(records: readonly OutgoingRecord[]): Part[] {
  const parts: Part[] = [];
  for (const record of records) {
    const bytes = bytesOf(record);
    const last = parts.at(-1);
    if (!last || last.bytes + bytes > REQUEST_BYTES_MAX) {
      parts.push({ records: [record], bytes });
    } else {
      last.records.push(record);
      last.bytes += bytes;
    }
  }
  return parts;
}

/** An upper bound, reckoned without encoding anything: a character of JavaScript is three bytes at most. */
function bytesOf({ key, value, headers }: OutgoingRecord): number {
  let bytes = RECORD_OVERHEAD_BYTES + boundOf(key) + boundOf(value);
  for (const name in headers) {
    const held = headers[name];
    bytes += HEADER_OVERHEAD_BYTES + boundOf(name);
    if (Array.isArray(held)) for (const one of held) bytes += HEADER_OVERHEAD_BYTES + boundOf(name) + boundOf(one);
    else bytes += boundOf(held as string | Buffer | null);
  }
  return bytes;
}

function boundOf(part: string | Buffer | null | undefined): number {
  if (typeof part === 'string') return part.length * 3;
  return part ? part.length : 0;
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
