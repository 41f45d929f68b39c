import { randomUUID } from 'node:crypto';
import type { Pool } from 'pg';
import { readConfig, type Config } from '../../src/config';
import { factId } from '../../src/facts/identity';
import { migrate } from '../../src/facts/migrate';
import { openPool, type Queryable } from '../../src/facts/postgres';
import { recordOf } from '../../src/kafka/cloudevents';
import { JSON_CODEC } from '../../src/kafka/codec';
import { openConsumer } from '../../src/kafka/consumer';
import type { OutgoingRecord, Producer } from '../../src/kafka/port';
import { openProducer } from '../../src/kafka/producer';
import { createTopics } from '../../src/kafka/topics';
import { openLog } from '../../src/log';
import { NOTIFICATIONS_GROUP } from '../../src/notify/compose';
import { dispatchChunk, noticedTopics } from '../../src/notify/dispatch';
import { openNotifier } from '../../src/notify/notifier';
import { openSlipQueue } from '../../src/notify/open';
import { openPresence } from '../../src/notify/presence';
import type { SlipQueue } from '../../src/notify/queue';
import { ownDatabase } from './database';
import { mailServer, type MailServer } from './mail-server';
import { realParts } from './stack';
import { awaitLeaders } from './topic';
import { until } from './until';

/** From facts on Kafka to letters at a mail server, all real, with a database and topics of its own. */
export interface LetterStage {
  readonly config: Config;
  /** The environment of a process that is to take part. */
  readonly env: Readonly<Record<string, string>>;
  readonly db: Pool;
  readonly mail: MailServer;
  readonly producer: Producer;
  readonly queue: SlipQueue;
  /** A notifier in this process. */
  notifier(db?: Queryable): Promise<{ stop(): Promise<void> }>;
  dispatcher(): Promise<{ stop(): Promise<void> }>;
  client(fields?: { name?: string; email?: string }): Promise<string>;
  /** The row's state and what it says, by the order's id. */
  row(orderId: string): Promise<{ state: string; tries: number; reason: string | null } | undefined>;
  reaches(orderId: string, state: string, limitMs?: number): Promise<void>;
  close(): Promise<void>;
}

export async function openLetterStage(more: Record<string, string>): Promise<LetterStage> {
  const parts = await realParts();
  const database = await ownDatabase(parts.DATABASE_URL ?? '');
  const mail = await mailServer();
  const env = {
    ...parts, DATABASE_URL: database.url, KAFKA_TOPIC_PREFIX: `${randomUUID()}.`, KAFKA_SESSION_TIMEOUT_MS: '3000', SMTP_URL: mail.url,
    LOG_LEVEL: process.env.TEST_LOG_LEVEL ?? 'silent', ...more,
  };
  const config = readConfig(env);
  const log = openLog(config, 'test');
  const db = openPool(config, 'test');
  await migrate(db);
  await awaitLeaders(config, await createTopics(config, log));
  const producer = openProducer(config, log, { sendTimeoutMs: 10_000 });
  producer.start();
  await until(() => producer.connected, 'the producer has a connection');
  const fail = (reason: unknown) => { throw reason; };
  const queue = openSlipQueue(config, log, fail);

  const row: LetterStage['row'] = async (orderId) => {
    const { rows } = await db.query<{ state: string; tries: number; reason: string | null }>('SELECT state, tries, reason FROM notifications WHERE aggregate_id = $1', [orderId]);
    return rows[0];
  };
  return {
    config, env, db, mail, producer, queue, row,
    async notifier(used = db) {
      const presence = await openPresence(config, log, db);
      const own = openSlipQueue(config, log, fail);
      await own.take(openNotifier({ db: used, presence, log, smtp: { url: config.SMTP_URL, from: config.MAIL_FROM, timeoutMs: config.SMTP_TIMEOUT_MS } }));
      return {
        async stop() {
          await own.stop();
          await presence.stop();
        },
      };
    },
    async dispatcher() {
      const deps = { db, producer, queue, log, codec: JSON_CODEC };
      const options = { group: NOTIFICATIONS_GROUP, topics: noticedTopics(), fromBeginning: true, chunkMax: 50, onChunk: (chunk: Parameters<typeof dispatchChunk>[1]) => dispatchChunk(deps, chunk) };
      const consumer = openConsumer(config, log, options, fail);
      await consumer.start();
      return consumer;
    },
    async client({ name = 'Ana', email } = {}) {
      const id = randomUUID();
      await db.query('INSERT INTO clients (id, name, email, phone, cpf) VALUES ($1, $2, $3, $4, $1)', [id, name, email ?? `${id}@example.com`, '1']);
      return id;
    },
    reaches: (orderId, state, limitMs = 30_000) => until(async () => (await row(orderId))?.state === state, `the letter of ${orderId} is ${state}`, limitMs, 50),
    async close() {
      await queue.stop();
      await producer.stop();
      await mail.close();
      await db.end();
      await database.drop();
    },
  };
}

/** The record of an order's end, as the relay writes it. */
export function ending(orderId: string, clientId: string, { status = 'PAGO', clientName = 'Ana', version = 4, total = 1234.5 } = {}): OutgoingRecord {
  const type = status === 'PAGO' ? 'OrderPaid' : 'OrderFailed';
  const at = '2026-01-02T03:04:05.678Z';
  const value = Buffer.from(JSON.stringify({ orderId, clientId, clientName, status, total, updatedAt: at }));
  const envelope = { ceId: factId('order', orderId, version), type, domain: 'order', aggregateId: orderId, at, version, correlationId: orderId, causationId: orderId };
  return recordOf(status === 'PAGO' ? 'orders.paid' : 'orders.failed', orderId, envelope, value, 'application/json');
}

/** `Message-ID` of the letter about that record. */
export function messageIdOfEnding(orderId: string, version = 4): string {
  return `<${factId('order', orderId, version)}@fazenda>`;
}
