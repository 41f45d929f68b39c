import { randomUUID } from 'node:crypto';
import type { Kafka } from 'kafkajs';
import type { Pool } from 'pg';
import { openIngress } from '../../src/ingress/ingress';
import { clusterName, openKafka } from '../../src/kafka/client';
import { openCodec } from '../../src/kafka/codec';
import { openConsumer } from '../../src/kafka/consumer';
import type { Chunk, Consumer, Producer } from '../../src/kafka/port';
import { openProducer } from '../../src/kafka/producer';
import { createTopics } from '../../src/kafka/topics';
import { openLog } from '../../src/log';
import { NOTIFICATIONS_GROUP } from '../../src/notify/compose';
import { dispatchChunk, noticedTopics } from '../../src/notify/dispatch';
import { openRelay } from '../../src/relay/relay';
import { subjects } from '../../src/schemas/subjects';
import { openObjectStore, type ObjectStore } from '../../src/storage/s3';
import type { AuditDeps } from '../../src/audit/look';
import { openBench, type Bench } from './bench';
import { awaitLeaders } from './topic';
import { until } from './until';

/** The whole way of stories in this process, on the real parts: doors, workers, relay; all stores are its own. */
export interface Backbone {
  readonly bench: Bench;
  readonly deps: AuditDeps & { readonly store: ObjectStore };
  readonly producer: Producer;
  readonly kafka: Kafka;
  /** Doors, workers and relay begin, and where asked for whoever makes letters; the returned function ends them. */
  run(options?: { doors?: boolean; workers?: boolean; relay?: boolean; letters?: boolean }): Promise<() => Promise<void>>;
  /** Puts tasks on `task.created`, as a partner does; gives their ids. */
  tasks(count: number, variables?: Record<string, unknown>): Promise<string[]>;
  /** Puts orders of one piece on `orders.create`, or by S1 on `order_created`; of a product in ample stock, unless told. */
  orders(count: number, wish?: { typePaymentId?: number; edge?: 'shop' | 'gateway'; productId?: string; clientId?: string; price?: number }): Promise<string[]>;
  /** Waits until these have so many facts, all published; with no number, until they are over. */
  reach(ids: readonly string[], facts?: number, limitMs?: number): Promise<void>;
  close(): Promise<void>;
}

/** Has the topics that may be Avro written so, as if a registry had given these ids. */
export async function speakAvro(db: Pool): Promise<void> {
  const avro = [...subjects().values()].filter(({ preset }) => preset === 'avro');
  for (const [at, { topic, text }] of avro.entries()) {
    await db.query('INSERT INTO avro_schemas (topic, id, schema) VALUES ($1, $2, $3)', [topic, at + 1, text]);
    await db.query('INSERT INTO wire_formats (topic, from_seq, schema_id) VALUES ($1, 0, $2)', [topic, at + 1]);
  }
}

export async function openBackbone(env: Record<string, string> = {}): Promise<Backbone> {
  const bench = await openBench({ KAFKA_TOPIC_PREFIX: `${randomUUID()}.`, KAFKA_SESSION_TIMEOUT_MS: '3000', ...env });
  const { config, db, client } = bench;
  const log = openLog(config, 'test');
  await awaitLeaders(config, await createTopics(config, log));
  const kafka = openKafka(config, log);
  const writer = kafka.producer({ allowAutoTopicCreation: false });
  await writer.connect();
  const producer = openProducer(config, log, { sendTimeoutMs: 10_000 });
  producer.start();
  await until(() => producer.connected, 'the producer has a connection');
  const store = openObjectStore(config);
  await db.query("INSERT INTO products (id, sku, name, description, price_cents, quantity) VALUES ('P-1', 'SKU-1', 'Product', '', 1000, 1000000)");

  async function write(topic: string, messages: readonly { key: string; value: string }[]): Promise<void> {
    for (let at = 0; at < messages.length; at += 500) await writer.send({ topic: clusterName(config, topic), messages: messages.slice(at, at + 500) });
  }

  return {
    bench, producer, kafka,
    deps: { config, log, db, temporal: client, store },
    async run({ doors = true, workers = true, relay = true, letters = false } = {}) {
      const working = workers ? await bench.startWorkers() : undefined;
      const relaying = relay ? openRelay(config, log, producer) : undefined;
      relaying?.start();
      const fail = (reason: unknown) => { throw reason; };
      const consumers: Consumer[] = doors ? [...openIngress({ config, log, db, temporal: client, hint: () => undefined, producer, fail })] : [];
      if (letters) {
        const queue = { put: async () => undefined, take: async () => undefined, stop: async () => undefined };
        const onChunk = (chunk: Chunk) => dispatchChunk({ db, producer, queue, log, codec: openCodec(config, db) }, chunk);
        consumers.push(openConsumer(config, log, { group: NOTIFICATIONS_GROUP, topics: noticedTopics(), fromBeginning: true, chunkMax: 200, onChunk }, fail));
      }
      await Promise.all(consumers.map((consumer) => consumer.start()));
      return async () => {
        await Promise.all(consumers.map((consumer) => consumer.stop()));
        await working?.stop();
        await relaying?.stop();
      };
    },
    async tasks(count, variables = {}) {
      const ids = Array.from({ length: count }, () => randomUUID() as string);
      const modelType = 'drafts' in variables ? 'scripted' : 'local';
      await write('task.created', ids.map((taskId) => ({
        key: taskId,
        value: JSON.stringify({ eventId: `event-of-${taskId}`, taskId, templateId: '00000000-0000-4000-8000-000000000001', priority: 'normal', modelType, timestamp: Date.now(), userId: 'partner', variables }),
      })));
      return ids;
    },
    async orders(count, { typePaymentId = 1, edge = 'shop', productId = edge === 'shop' ? 'P-1' : 'SKU-1', clientId = randomUUID(), price = 10 } = {}) {
      const ids = Array.from({ length: count }, () => randomUUID() as string);
      const placed = (orderId: string) => ({ orderId, clientId, items: [{ productId, quantity: 1, price }], total: price, payments: [{ typePaymentId, amount: price }] });
      const requested = (correlationId: string) => ({ correlationId, customerId: clientId, items: [{ sku: productId, quantity: 1 }], totalAmount: price });
      await write(edge === 'shop' ? 'orders.create' : 'order_created', ids.map((id) => ({ key: id, value: JSON.stringify(edge === 'shop' ? placed(id) : requested(id)) })));
      return ids;
    },
    reach: (ids, facts, limitMs = 60_000) =>
      until(async () => {
        const { rows } = await db.query<{ left: number }>(
          `SELECT count(*)::int AS left FROM unnest($1::text[]) AS w(id) WHERE NOT EXISTS (
             SELECT 1 FROM facts f WHERE f.aggregate_id = w.id AND ($2::int IS NULL OR f.version = $2) AND f.published_at IS NOT NULL
               AND ($2::int IS NOT NULL OR f.type IN ('ContentStored', 'TaskFailed', 'TaskCancelled', 'OrderPaid', 'OrderFailed')))`,
          [ids, facts ?? null]);
        return rows[0]?.left === 0;
      }, `${ids.length} stories are that far`, limitMs, 100),
    async close() {
      await Promise.all([writer.disconnect(), producer.stop()]);
      store.close();
      await bench.close();
    },
  };
}
