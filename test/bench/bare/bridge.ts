import { Client } from '@temporalio/client';
import { NativeConnection, Worker } from '@temporalio/worker';
import { Kafka, logLevel, type Producer } from 'kafkajs';
import { randomUUID } from 'node:crypto';
import { Pool } from 'pg';
import { bareActivities, openStore, TABLE } from './activities';
import { untilTerm } from '../until-term';

const LANE_SIZE = Number(process.env.LANE_SIZE_MAX);
const BATCH_MAX = 2_000;
const LANES_OPEN = Number(process.env.LANES_OPEN_MAX);

/**
 * Lanes and nothing else, as the prototype had them that was measured before the product: records in, lanes, facts
 * with fsync and their relay in one process. No schema, no view, no envelope, no bound, no second relay, nobody who
 * sweeps up. It takes part as the measure of what the product costs beside its lanes.
 */
async function main(): Promise<void> {
  const { KAFKA_BROKERS = '', KAFKA_TOPIC_PREFIX: prefix = '', TEMPORAL_ADDRESS: address = '', TEMPORAL_NAMESPACE: namespace = 'default', DATABASE_URL } = process.env;
  const kafka = new Kafka({ clientId: 'bare', brokers: KAFKA_BROKERS.split(','), logLevel: logLevel.ERROR });
  const producer = kafka.producer();
  await producer.connect();
  const db = new Pool({ connectionString: DATABASE_URL });
  await db.query(TABLE);
  const hint = relay(db, producer, `${prefix}bench.step`);
  const store = openStore(db, hint);
  const connection = await NativeConnection.connect({ address });
  const client = new Client({ connection, namespace });
  const worker = await Worker.create({
    connection, namespace, taskQueue: 'bare', workflowsPath: require.resolve('./workflow'), activities: bareActivities(store),
  });
  const working = worker.run();
  const board = openBareLanes(client);

  const consumer = kafka.consumer({ groupId: `${prefix}bare` });
  await consumer.connect();
  await consumer.subscribe({ topics: [`${prefix}bench.begun`], fromBeginning: true });
  const joined = new Promise((resolve) => consumer.on(consumer.events.GROUP_JOIN, resolve));
  await consumer.run({
    partitionsConsumedConcurrently: 12,
    eachBatch: async ({ batch }) => {
      const stories = batch.messages.map(({ key, value }) => ({ id: String(key), version: 1, data: JSON.parse(String(value)) as object }));
      await store(stories);
      await Promise.all(stories.map(({ id }) => board(id)));
    },
  });
  await joined;
  await untilTerm({ consumer, worker, producer, working });
}

/** At most so many lanes open; what waits meanwhile rides in the next. */
function openBareLanes(client: Client): (id: string) => Promise<void> {
  let waiting: { id: string; resolve: () => void }[] = [];
  let open = 0;
  async function run(): Promise<void> {
    open += 1;
    const aboard = waiting.slice(0, LANE_SIZE);
    waiting = waiting.slice(LANE_SIZE);
    const handle = await client.workflow.start('bareLane', { taskQueue: 'bare', workflowId: randomUUID(), args: [aboard.map(({ id }) => id)], requestEagerStart: true });
    for (const { resolve } of aboard) resolve();
    await handle.result();
    open -= 1;
    fill();
  }
  const fill = (): void => {
    while (waiting.length > 0 && open < LANES_OPEN) void run();
  };
  return (id) => new Promise((resolve) => {
    waiting.push({ id, resolve });
    setImmediate(fill);
  });
}

/** Puts what is stored on Kafka, in the order in which it was stored. */
function relay(db: Pool, producer: Producer, topic: string): () => void {
  let due = false;
  let busy = false;
  async function publish(): Promise<void> {
    busy = true;
    while (due) {
      due = false;
      // Both are planned each time: a plan that was kept from when the table was empty would read all of it.
      const { rows } = await db.query<{ seq: string; id: string; version: number; data: object }>(
        `SELECT seq, id, version, data FROM bare_facts WHERE NOT published ORDER BY seq LIMIT ${BATCH_MAX}`,
      );
      if (rows.length === 0) break;
      await producer.send({
        topic, messages: rows.map(({ id, version, data }) => ({ key: id, value: JSON.stringify({ id, ...data }), headers: { ce_sequence: String(version) } })),
      });
      await db.query('UPDATE bare_facts SET published = true WHERE NOT published AND seq = ANY($1)', [rows.map(({ seq }) => seq)]);
      if (rows.length === BATCH_MAX) due = true;
    }
    busy = false;
  }
  return () => {
    due = true;
    if (!busy) void publish();
  };
}

void main();
