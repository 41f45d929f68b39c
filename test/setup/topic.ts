import { KafkaJSProtocolError, type Admin, type Kafka } from 'kafkajs';
import type { Config } from '../../src/config';
import { clusterName, openKafka } from '../../src/kafka/client';
import { openLog } from '../../src/log';
import { until } from './until';

/** A record as any consumer of the topic sees it. */
export interface SeenRecord {
  readonly key: string;
  readonly value: string;
  readonly headers: Readonly<Record<string, string>>;
}

/** Every record that a topic holds now, from its beginning to the end it had when asked. */
export async function recordsOn(config: Config, topic: string): Promise<SeenRecord[]> {
  const kafka = openKafka(config, openLog(config, 'reader'));
  const name = clusterName(config, topic);
  const ends = await endsOf(kafka, name);
  const missing = new Set([...ends].filter(([, end]) => end > 0n).map(([partition]) => partition));
  const seen: SeenRecord[] = [];
  if (missing.size === 0) return seen;

  const consumer = kafka.consumer({ groupId: `${name}.reader.${process.hrtime.bigint()}`, maxWaitTimeInMs: 50 });
  await consumer.connect();
  await consumer.subscribe({ topic: name, fromBeginning: true });
  await new Promise<void>((resolve, reject) => {
    consumer.on(consumer.events.CRASH, ({ payload }) => reject(payload.error));
    void consumer.run({
      eachMessage: async ({ partition, message }) => {
        const end = ends.get(partition) ?? 0n;
        if (BigInt(message.offset) >= end) return;
        const headers = Object.entries(message.headers ?? {}).map(([key, value]) => [key, String(value)]);
        seen.push({ key: String(message.key), value: String(message.value), headers: Object.fromEntries(headers) as Record<string, string> });
        if (BigInt(message.offset) === end - 1n) missing.delete(partition);
        if (missing.size === 0) resolve();
      },
    });
  });
  await consumer.disconnect();
  return seen;
}

/** A busy machine takes its time over some thirty topics of twelve partitions. */
const LEADERS_WITHIN_MS = 60_000;

/** A topic that was just made takes nothing until its partitions have leaders. */
export async function awaitLeaders(config: Config, names: readonly string[]): Promise<void> {
  const admin = openKafka(config, openLog(config, 'reader')).admin();
  await admin.connect();
  try {
    for (const name of names) await endsBy(admin, name);
  } finally {
    await admin.disconnect();
  }
}

/** Where each partition ends; a topic that was just made has no leaders at first. */
async function endsOf(kafka: Kafka, name: string): Promise<Map<number, bigint>> {
  const admin = kafka.admin();
  await admin.connect();
  try {
    return await endsBy(admin, name);
  } finally {
    await admin.disconnect();
  }
}

async function endsBy(admin: Admin, name: string): Promise<Map<number, bigint>> {
  let ends: Awaited<ReturnType<typeof admin.fetchTopicOffsets>> | undefined;
  await until(async () => {
    ends = await admin.fetchTopicOffsets(name).catch(whenLeaderless);
    return ends !== undefined;
  }, `${name} has leaders`, LEADERS_WITHIN_MS);
  return new Map(ends?.map(({ partition, high }) => [partition, BigInt(high)]));
}

function whenLeaderless(thrown: unknown): undefined {
  if (thrown instanceof KafkaJSProtocolError && thrown.type === 'NOT_LEADER_FOR_PARTITION') return undefined;
  throw thrown;
}

/** The records of one key, oldest first. */
export async function recordsOfKey(config: Config, topic: string, key: string): Promise<SeenRecord[]> {
  return (await recordsOn(config, topic)).filter((record) => record.key === key);
}
