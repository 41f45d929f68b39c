import { randomUUID } from 'node:crypto';
import type { Client } from '@temporalio/client';
import { CompressionTypes, type Kafka, type Message } from 'kafkajs';
import type { Pool } from 'pg';
import { readConfig, type Config } from '../../src/config';
import { migrate } from '../../src/facts/migrate';
import { openPool } from '../../src/facts/postgres';
import { openIngress } from '../../src/ingress/ingress';
import { clusterName, openKafka } from '../../src/kafka/client';
import type { Consumer } from '../../src/kafka/port';
import { openProducer } from '../../src/kafka/producer';
import { createTopics } from '../../src/kafka/topics';
import { openLog } from '../../src/log';
import { ingressRecords } from '../../src/metrics';
import { connectTemporal } from '../../src/temporal/connect';
import { installRuntime } from '../../src/temporal/worker';
import { content } from '../../workflows/content/definition';
import { ownDatabase } from './database';
import { ownNamespace } from './namespace';
import { realParts } from './stack';
import { awaitLeaders } from './topic';
import { until } from './until';

/**
 * The doors in this process, on the real parts, with a database, topics, groups and a namespace of their
 * own. No worker runs: a story that was started stays at its first fact, where it can be counted.
 */
export interface TestIngress {
  readonly config: Config;
  readonly db: Pool;
  readonly temporal: Client;
  readonly kafka: Kafka;
  /** Joins the groups; nothing is taken before. */
  start(): Promise<void>;
  /** Writes to one partition in one request, as a producer that knows nothing of us. */
  write(topic: string, messages: readonly Message[], partition?: number): Promise<void>;
  /** The same, compressed by gzip. */
  writePacked(topic: string, messages: readonly Message[], partition?: number): Promise<void>;
  /** Waits until every record on the doors' topics is committed. */
  caughtUp(): Promise<void>;
  /** Records committed, over all doors. */
  committed(): Promise<number>;
  /** Records by fate, since this was opened. */
  fates(): Promise<Readonly<Record<string, number>>>;
  /** How often a chunk could not be done and had to wait. */
  troubles(): number;
  /** True where a workflow by the story's own name is known to Temporal. */
  runs(taskId: string): Promise<boolean>;
  close(): Promise<void>;
}

let runtimeInstalled = false;

/** `env` may point some of the parts elsewhere, by name; tables, topics and namespace are made on the parts themselves. */
export async function openTestIngress(env: (own: { DATABASE_URL: string; TEMPORAL_ADDRESS: string }) => Promise<Record<string, string>> = async () => ({})): Promise<TestIngress> {
  const parts = await realParts();
  const database = await ownDatabase(parts.DATABASE_URL ?? '');
  const TEMPORAL_ADDRESS = parts.TEMPORAL_ADDRESS ?? '';
  const own = {
    ...parts, DATABASE_URL: database.url, TEMPORAL_ADDRESS, TEMPORAL_NAMESPACE: await ownNamespace(TEMPORAL_ADDRESS), TEMPORAL_TASK_QUEUE: randomUUID(),
    KAFKA_TOPIC_PREFIX: `${randomUUID()}.`, KAFKA_SESSION_TIMEOUT_MS: '3000', LOG_LEVEL: process.env.TEST_LOG_LEVEL ?? 'silent',
  };
  const config = readConfig({ ...own, ...(await env(own)) });
  const log = openLog(config, 'test-ingress');
  if (!runtimeInstalled) installRuntime(log);
  runtimeInstalled = true;
  const db = openPool(readConfig(own), 'test');
  await migrate(db);
  await awaitLeaders(config, await createTopics(config, log));

  const kafka = openKafka(config, log);
  const [writer, admin] = [kafka.producer({ allowAutoTopicCreation: false }), kafka.admin()];
  await Promise.all([writer.connect(), admin.connect()]);
  const producer = openProducer(config, log, { sendTimeoutMs: 10_000 });
  producer.start();
  const used = openPool(config, 'test-ingress');
  const { connection, client } = await connectTemporal(config);
  const counted = await byFate();
  let consumers: Consumer[] = [];
  let troubles = 0;
  // What the doors say of a chunk that waits is the only sign of it; of many they warn once, and say the others at debug.
  const listening = (level: 'warn' | 'debug') => (...said: [object, string]): void => {
    if (said[1] === 'a chunk waits') troubles += 1;
    log[level](...said);
  };
  const heard = Object.assign(Object.create(log) as typeof log, { warn: listening('warn'), debug: listening('debug') });

  async function writeAs(compression: CompressionTypes, topic: string, messages: readonly Message[], partition = 0): Promise<void> {
    await writer.send({ topic: clusterName(config, topic), acks: -1, compression, messages: messages.map((message) => ({ ...message, partition })) });
  }

  async function committed(): Promise<number> {
    let sum = 0;
    for (const { topic, group } of content.doors) {
      const groupId = clusterName(config, group);
      for (const { partitions } of await admin.fetchOffsets({ groupId, topics: [clusterName(config, topic)] })) {
        for (const { offset } of partitions) sum += Math.max(0, Number(offset));
      }
    }
    return sum;
  }

  async function written(): Promise<number> {
    const offsets = await Promise.all(content.doors.map(({ topic }) => admin.fetchTopicOffsets(clusterName(config, topic))));
    return offsets.flat().reduce((sum, { high }) => sum + Number(high), 0);
  }

  return {
    config, db, temporal: client, kafka, committed,
    troubles: () => troubles,
    async start() {
      await until(() => producer.connected, 'the producer has a connection');
      consumers = openIngress({ config, log: heard, db: used, temporal: client, hint: () => undefined, producer, fail: (reason) => log.fatal({ err: reason }, 'the watchdog gave up') });
      await Promise.all(consumers.map((consumer) => consumer.start()));
    },
    write: (topic, messages, partition) => writeAs(CompressionTypes.None, topic, messages, partition),
    writePacked: (topic, messages, partition) => writeAs(CompressionTypes.GZIP, topic, messages, partition),
    async caughtUp() {
      const all = await written();
      await until(async () => (await committed()) === all, `all ${all} records are committed`, 30_000);
    },
    async fates() {
      const now = await byFate();
      return Object.fromEntries([...now].map(([fate, count]) => [fate, count - (counted.get(fate) ?? 0)]).filter(([, count]) => count !== 0));
    },
    runs: (taskId) =>
      client.workflow.getHandle(`content/${taskId}`).describe().then(
        () => true,
        (thrown: unknown) => {
          if (thrown instanceof Error && thrown.name === 'WorkflowNotFoundError') return false;
          throw thrown;
        },
      ),
    async close() {
      await Promise.all(consumers.map((consumer) => consumer.stop()));
      await Promise.all([producer.stop(), writer.disconnect(), admin.disconnect(), connection.close(), used.end(), db.end()]);
      await database.drop();
    },
  };
}

async function byFate(): Promise<Map<string, number>> {
  const sums = new Map<string, number>();
  for (const { labels, value } of (await ingressRecords.get()).values) {
    const fate = String(labels.fate);
    sums.set(fate, (sums.get(fate) ?? 0) + value);
  }
  return sums;
}

/** The value of a record on `task.created`, as a partner would write it. */
export function created(taskId: string, more: object = {}): Buffer {
  return Buffer.from(JSON.stringify({
    eventId: `event-of-${taskId}`, taskId, templateId: '00000000-0000-4000-8000-000000000001', priority: 'normal',
    modelType: 'local', timestamp: 1_700_000_000_123, userId: 'partner', ...more,
  }));
}

/** The value of a record on `task.cancel`. */
export function cancel(taskId: string, more: object = {}): Buffer {
  return Buffer.from(JSON.stringify({ taskId, reason: 'changed my mind', ...more }));
}
