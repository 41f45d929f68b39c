import { randomUUID } from 'node:crypto';
import { readConfig, type Config } from '../../src/config';
import { PROMPT } from '../../src/kafka/client';
import { openConsumer } from '../../src/kafka/consumer';
import type { Chunk, Consumer, OutgoingRecord, Producer } from '../../src/kafka/port';
import { openProducer } from '../../src/kafka/producer';
import { createTopics } from '../../src/kafka/topics';
import { openLog } from '../../src/log';
import { awaitLeaders } from './topic';
import { until } from './until';

export const SESSION_MS = 3_000;

/** Topics of a test's own on some brokers, where a member that falls silent is missed soon. */
export async function configOn(brokers: string): Promise<Config> {
  const made = readConfig({ KAFKA_BROKERS: brokers, KAFKA_TOPIC_PREFIX: `${randomUUID()}.`, KAFKA_SESSION_TIMEOUT_MS: String(SESSION_MS), LOG_LEVEL: 'silent' });
  await awaitLeaders(made, await createTopics(made, openLog(made, 'test')));
  return made;
}

export async function producerOn(on: Config): Promise<Producer> {
  const made = openProducer(on, openLog(on, 'test'), { retry: PROMPT, sendTimeoutMs: 4_000 });
  made.start();
  await until(() => made.connected, 'the producer has a connection');
  return made;
}

/** A member of a group that hands every chunk to `onChunk`. */
export async function enterOn(on: Config, topic: string, group: string, onChunk: (chunk: Chunk) => Promise<void>, chunkMax = 100): Promise<Consumer> {
  const fail = (reason: unknown) => { throw reason; };
  const consumer = openConsumer(on, openLog(on, 'test'), { group, topics: [topic], fromBeginning: true, chunkMax, onChunk }, fail);
  await consumer.start();
  return consumer;
}

export const record = (topic: string, key: string | Buffer | null, value: string | Buffer | null, headers: OutgoingRecord['headers'] = {}): OutgoingRecord =>
  ({ topic, key, value: typeof value === 'string' ? Buffer.from(value) : value, headers });
