import { Client } from '@temporalio/client';
import { NativeConnection, Worker } from '@temporalio/worker';
import { Kafka, logLevel } from 'kafkajs';
import { Pool } from 'pg';
import { naiveActivities } from './activities';
import { untilTerm } from '../until-term';

/**
 * What one writes first: eachMessage → start a workflow → activities that each send a message. It takes part in
 * the benchmarks as the measure of what lanes, batches and local activities are worth.
 */
async function main(): Promise<void> {
  const { KAFKA_BROKERS = '', KAFKA_TOPIC_PREFIX: prefix = '', TEMPORAL_ADDRESS: address = '', TEMPORAL_NAMESPACE: namespace = 'default', DATABASE_URL } = process.env;
  const kafka = new Kafka({ clientId: 'naive', brokers: KAFKA_BROKERS.split(','), logLevel: logLevel.ERROR });
  const producer = kafka.producer();
  await producer.connect();
  const db = new Pool({ connectionString: DATABASE_URL });
  const connection = await NativeConnection.connect({ address });
  const client = new Client({ connection, namespace });
  const worker = await Worker.create({
    connection, namespace, taskQueue: 'naive', workflowsPath: require.resolve('./workflow'), activities: naiveActivities(producer, db, prefix),
  });
  const working = worker.run();

  const workflows: Record<string, string> = { [`${prefix}bench.begun`]: 'naiveSteps', [`${prefix}order_created`]: 'naiveOrder' };
  const consumer = kafka.consumer({ groupId: `${prefix}naive` });
  await consumer.connect();
  await consumer.subscribe({ topics: Object.keys(workflows), fromBeginning: true });
  const joined = new Promise((resolve) => consumer.on(consumer.events.GROUP_JOIN, resolve));
  await consumer.run({
    eachMessage: async ({ topic, message }) => {
      const id = String(message.key);
      await client.workflow.start(workflows[topic] ?? '', { taskQueue: 'naive', workflowId: id, args: [id, JSON.parse(String(message.value))] });
    },
  });
  await joined;
  await untilTerm({ consumer, worker, producer, working });
}

void main();
