import { randomUUID } from 'node:crypto';
import type { Pool } from 'pg';
import { agentActivities, registerAgent, type AssignRequest } from '../activities/agents';
import { readConfig } from '../src/config';
import { migrate } from '../src/facts/migrate';
import { openPool } from '../src/facts/postgres';
import type { Priority } from '../workflows/content/lifecycle';
import { READY_TEMPLATES } from '../workflows/content/templates';
import { ownDatabase } from './setup/database';
import { PARTS_TIMEOUT_MS, realParts } from './setup/stack';

/** A task goes to an agent that serves its model, by load; one that nobody can ever serve is refused. */

let db: Pool;
let drop: () => Promise<void>;
beforeAll(async () => {
  const database = await ownDatabase((await realParts()).DATABASE_URL ?? '');
  drop = database.drop;
  db = openPool(readConfig({ DATABASE_URL: database.url }), 'test');
  await migrate(db);
}, PARTS_TIMEOUT_MS);
afterAll(async () => {
  await db.end();
  await drop();
});
beforeEach(async () => {
  await db.query('TRUNCATE task_view');
});

const task = (modelType: string, priority: Priority = 'high', change: Partial<AssignRequest> = {}): AssignRequest => ({
  id: randomUUID(), version: 2, templateId: READY_TEMPLATES[0]?.id ?? '', modelType, priority, ...change,
});
const assign = async (...requests: AssignRequest[]) => agentActivities({ db }).assignAgents(requests);
const agentsOf = async (...requests: AssignRequest[]) => (await assign(...requests)).map((one) => ('agentId' in one ? one.agentId : one.refused));

async function inHand(agentId: string, tasks: number, status = 'processing'): Promise<void> {
  await db.query(
    `INSERT INTO task_view (id, status, phase, updated_at, attempts, agent_id, failures)
     SELECT gen_random_uuid(), $2, 'working', now(), 1, $1, '[]' FROM generate_series(1, $3)`,
    [agentId, status, tasks],
  );
}

async function agents(modelType: string, capacities: Record<string, number>): Promise<void> {
  for (const [id, capacity] of Object.entries(capacities)) await registerAgent(db, { id, modelTypes: [modelType], capacity });
}

test('each request is answered under its own id and version, refused or not', async () => {
  const requests = [task('local'), task('local', 'low', { templateId: randomUUID(), version: 7 }), task('nobody-serves-this')];
  const [good, template, model] = requests;
  expect(await assign(...requests)).toEqual([
    { id: good?.id, version: 2, agentId: 'agent-1' },
    { id: template?.id, version: 7, refused: 'unknown-template' },
    { id: model?.id, version: 2, refused: 'unknown-model' },
  ]);
});

test('an agent that registers again is known by what it said last', async () => {
  await registerAgent(db, { id: 'changing', modelTypes: ['old-model'], capacity: 1 });
  await registerAgent(db, { id: 'changing', modelTypes: ['new-model'], capacity: 2 });
  expect(await agentsOf(task('old-model'), task('new-model'))).toEqual(['unknown-model', 'changing']);
});

test('what is urgent goes to the least loaded for its size, and counts at once', async () => {
  await agents('m1', { 'm1-small': 2, 'm1-large': 10 });
  await inHand('m1-small', 1);
  await inHand('m1-large', 4);
  await inHand('m1-large', 50, 'completed');
  // 1/2 and 4/10 in hand: two more fit the large one before the small one is as free.
  expect(await agentsOf(task('m1'), task('m1'), task('m1'))).toEqual(['m1-large', 'm1-large', 'm1-small']);
});

test('what can wait fills up who is busy and still has room', async () => {
  await agents('m2', { 'm2-a': 4, 'm2-b': 4, 'm2-c': 4 });
  await inHand('m2-a', 4);
  await inHand('m2-b', 2);
  expect(await agentsOf(...Array.from({ length: 3 }, () => task('m2', 'low')))).toEqual(['m2-b', 'm2-b', 'm2-c']);
});

test.each<Priority>(['low', 'normal', 'high'])('where all are full a task of %s priority still gets its agent', async (priority) => {
  await agents('m3', { 'm3-a': 1, 'm3-b': 1 });
  await inHand('m3-a', 3);
  await inHand('m3-b', 2);
  expect(await agentsOf(task('m3', priority))).toEqual(['m3-b']);
});
