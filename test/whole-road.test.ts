import { randomUUID } from 'node:crypto';
import { GetObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { Client, Connection } from '@temporalio/client';
import { Kafka, logLevel, type Message } from 'kafkajs';
import { judge, readTopics, recordsEver } from './setup/judge';
import { startSystem, SYSTEM_TIMEOUT_MS, type System } from './setup/system';
import { until } from './setup/until';

/**
 * From outside, as somebody would who knows the contracts and nothing of the code: tasks by REST and tasks
 * produced straight to Kafka, each twice and shuffled, become exactly one story each.
 */

const TEMPLATE = '00000000-0000-4000-8000-000000000001';
const FACT_TOPICS = ['task.created', 'task.assigned', 'content.generated', 'validation.failed', 'content.validated', 'content.stored', 'task.failed', 'task.cancelled'];
const TERMINAL = ['ContentStored', 'TaskFailed', 'TaskCancelled'];
const EACH = Number(process.env.FAZENDA_ROAD_TASKS ?? 100);

let system: System;
beforeAll(async () => (system = await startSystem()), SYSTEM_TIMEOUT_MS);
afterAll(async () => {
  const code = await system.stop();
  system.forget();
  expect(code).toBe(0);
}, 30_000);

async function post(path: string, body: object): Promise<{ status: number; json: Record<string, unknown> }> {
  const answer = await fetch(`${system.endpoints.api}${path}`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) });
  return { status: answer.status, json: (await answer.json()) as Record<string, unknown> };
}

async function get(path: string): Promise<Record<string, unknown>> {
  return (await (await fetch(`${system.endpoints.api}${path}`)).json()) as Record<string, unknown>;
}

async function produce(topic: string, messages: Message[]): Promise<void> {
  const producer = new Kafka({ clientId: 'partner', brokers: system.endpoints.kafka.split(','), logLevel: logLevel.NOTHING }).producer();
  await producer.connect();
  await producer.send({ topic, messages });
  await producer.disconnect();
}

function shuffled<Item>(items: readonly Item[]): Item[] {
  return items.map((item) => ({ item, at: Math.random() })).toSorted((a, b) => a.at - b.at).map(({ item }) => item);
}

test(`${EACH} tasks by REST and ${EACH} by Kafka, each of these twice and shuffled, are exactly ${2 * EACH} stories`, async () => {
  const byRest = await Promise.all(
    Array.from({ length: EACH }, async () => {
      const { status, json } = await post('/commands/create-task', { templateId: TEMPLATE, modelType: 'local', priority: 'normal', userId: 'road' });
      expect(status).toBe(202);
      return String(json.taskId);
    }),
  );
  const byKafka = Array.from({ length: EACH }, () => randomUUID());
  const records = byKafka.map((taskId) => ({
    key: taskId,
    value: JSON.stringify({ eventId: randomUUID(), taskId, templateId: TEMPLATE, priority: 'high', modelType: 'local', timestamp: Date.now(), userId: 'partner' }),
  }));
  await produce('task.created', shuffled([...records, ...records]));

  const ids = [...byRest, ...byKafka];
  const brokers = system.endpoints.kafka;
  await until(async () => (await recordsEver(brokers, 'content.stored')) >= ids.length, 'all is stored', 400_000, 250);

  const verdict = judge(await readTopics(brokers, FACT_TOPICS), ids, TERMINAL);
  expect(verdict.faults).toEqual([]);
  expect(verdict.exact).toBe(2 * EACH);

  const connection = await Connection.connect({ address: system.endpoints.temporal ?? '' });
  const client = new Client({ connection });
  await until(async () => (await client.workflow.count(`ExecutionStatus = 'Completed'`)).count >= ids.length, 'Temporal shows them', 60_000);
  const names = new Set<string>();
  for await (const run of client.workflow.list()) names.add(run.workflowId);
  expect(names).toEqual(new Set(ids.map((id) => `content/${id}`)));
  await connection.close();

  for (const [id, story] of shuffled([...verdict.stories]).slice(0, 50)) {
    const view = await get(`/tasks/${id}`);
    expect(view).toMatchObject({ id, status: 'completed', version: story.length, contentUri: (JSON.parse(story.at(-1)?.value ?? '{}') as { uri: string }).uri });
  }
}, 600_000);

test('the content of a finished task is in the bucket, byte for byte what its fact says', async () => {
  const { json } = await post('/commands/create-task', { templateId: TEMPLATE, modelType: 'scripted', priority: 'low', userId: 'road', variables: { drafts: ['short', 'word '.repeat(60)] } });
  const id = String(json.taskId);
  await until(async () => (await get(`/tasks/${id}`)).completedAt !== null && (await get(`/tasks/${id}`)).completedAt !== undefined, 'it is completed', 60_000);
  const task = await get(`/tasks/${id}`);
  const { endpoint, bucket, region, accessKeyId, secretAccessKey } = system.endpoints.s3!;
  const s3 = new S3Client({ endpoint, region, credentials: { accessKeyId, secretAccessKey }, forcePathStyle: true });
  const object = await s3.send(new GetObjectCommand({ Bucket: bucket, Key: String(task.contentUri).replace(`s3://${bucket}/`, '') }));
  expect(await object.Body?.transformToString()).toBe('word '.repeat(60));
  expect(task).toMatchObject({ status: 'completed', attempts: 2, priority: 'low', contentBytes: 300 });
}, 90_000);

test('an item’s life is on its topic, judged as any story is', async () => {
  const { status, json } = await post('/v1/items', { name: 'Wheelbarrow', sku: 'WB-1' });
  const id = String(json.id);
  expect([status, (await fetch(`${system.endpoints.api}/v1/items/${id}`, { method: 'DELETE' })).status]).toEqual([201, 204]);
  const { kafka } = system.endpoints;
  await until(async () => (await recordsEver(kafka, 'items-events')) >= 2, 'both events are there', 30_000);
  expect(judge(await readTopics(kafka, ['items-events']), [id], ['ItemDeleted'])).toMatchObject({ exact: 1, faults: [] });
}, 60_000);
