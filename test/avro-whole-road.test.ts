import { randomUUID } from 'node:crypto';
import { foreignAvro, type Foreign, type ForeignRecord } from './setup/foreign-avro';
import { startSystem, SYSTEM_TIMEOUT_MS, type System } from './setup/system';
import { until } from './setup/until';

/** `npm start` as it is: with a registry, content topics in Avro, and a partner who writes and reads them. */

let system: System;
let foreign: Foreign;
beforeAll(async () => {
  system = await startSystem({ SCHEMA_REGISTRY_URL: '' });
  foreign = await foreignAvro(system.endpoints.kafka, system.endpoints.schemaRegistry ?? '');
}, SYSTEM_TIMEOUT_MS);
afterAll(async () => {
  await system.stop();
  system.forget();
});

const STORY = ['task.created', 'task.assigned', 'content.generated', 'content.validated', 'content.stored'];
const TEXT = ['eventId', 'taskId', 'templateId', 'priority', 'modelType'];
const SEED = {
  type: 'record', name: 'TaskCreated', namespace: 'com.contentfarm.events',
  fields: [...TEXT.map((name) => ({ name, type: 'string' })), { name: 'timestamp', type: 'long' }, { name: 'userId', type: 'string' }],
};
const templateId = '00000000-0000-4000-8000-000000000001';

async function completed(taskId: string): Promise<void> {
  await until(async () => {
    const answer = await fetch(`${system.endpoints.api}/tasks/${taskId}`);
    return answer.ok && ((await answer.json()) as { completedAt: string | null }).completedAt !== null;
  }, `${taskId} is complete`, 30_000);
}

async function storyOf(taskId: string): Promise<ForeignRecord[]> {
  let found: ForeignRecord[] = [];
  await until(async () => {
    found = (await foreign.consume(STORY)).filter(({ key }) => key === taskId);
    return new Set(found.map(({ topic }) => topic)).size === STORY.length;
  }, 'the whole story is on the topics', 30_000);
  return found.toSorted((a, b) => STORY.indexOf(a.topic) - STORY.indexOf(b.topic));
}

test('a task that comes over HTTP and one by a partner’s Avro are told in Avro that the partner reads', async () => {
  const byHttp = randomUUID();
  const accepted = await fetch(`${system.endpoints.api}/commands/create-task`, {
    method: 'POST', headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ taskId: byHttp, templateId, modelType: 'local', priority: 'normal', userId: 'me', variables: { product: 'coffee' } }),
  });
  expect(accepted.status).toBe(202);
  const byPartner = randomUUID();
  const data = { eventId: 'e-1', taskId: byPartner, templateId, priority: 'high', modelType: 'local', timestamp: 1_700_000_000_123, userId: 'partner' };
  await foreign.produce([{ topic: 'task.created', key: byPartner, data, schema: SEED }]);

  for (const [taskId, first] of [[byHttp, { userId: 'me', variables: { product: '"coffee"' } }], [byPartner, data]] as const) {
    await completed(taskId);
    const story = await storyOf(taskId);
    expect(story.map(({ schema }) => schema)).toEqual(['TaskCreated', 'TaskAssigned', 'ContentGenerated', 'ContentValidated', 'ContentStored'].map((name) => `com.contentfarm.events.${name}`));
    expect(story[0]?.data).toMatchObject(first);
    expect(story[4]?.data).toMatchObject({ taskId, uri: expect.stringMatching(/^s3:/) as string });
  }
}, 120_000);

test('AsyncAPI is served with every topic in it', async () => {
  const document = (await (await fetch(`${system.endpoints.api}/docs/events`)).json()) as { asyncapi: string; channels: object };
  expect(document.asyncapi).toBe('3.0.0');
  expect(Object.keys(document.channels)).toEqual(expect.arrayContaining(STORY));
});
