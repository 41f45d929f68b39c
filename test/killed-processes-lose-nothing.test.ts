import { randomUUID } from 'node:crypto';
import { Kafka, logLevel } from 'kafkajs';
import { judge, readTopics, recordsEver } from './setup/judge';
import { startSystem, SYSTEM_TIMEOUT_MS, type System } from './setup/system';
import { until } from './setup/until';

/**
 * Under load, kill -9 of api, ingress, worker, agent, relay and gateway, again and again: nothing is lost,
 * doubled or out of order. Judged from the topics, not from our own tables.
 * The full dose: FAZENDA_KILLS=100 FAZENDA_KILL_TASKS=2000 npm test -- killed-processes
 */

const KILLS = Number(process.env.FAZENDA_KILLS ?? 12);
const TASKS = Number(process.env.FAZENDA_KILL_TASKS ?? 150);
const VICTIMS = ['api', 'ingress', 'worker', 'agent', 'relay', 'gateway'];
const FACT_TOPICS = ['task.created', 'task.assigned', 'content.generated', 'validation.failed', 'content.validated', 'content.stored', 'task.failed', 'task.cancelled'];
const TERMINAL = ['ContentStored', 'TaskFailed', 'TaskCancelled'];
const TEMPLATE = '00000000-0000-4000-8000-000000000001';

let system: System;
beforeAll(async () => (system = await startSystem({ KAFKA_SESSION_TIMEOUT_MS: '6000' })), SYSTEM_TIMEOUT_MS);
afterAll(async () => {
  await system.stop();
  system.forget();
}, 30_000);

/** Two attempts, so that a story has every kind of step. */
const variables = { drafts: ['too short', 'long enough '.repeat(30)] };

/** As a careful client does it: one key a request, and the same request again until it is answered. */
async function submitByRest(): Promise<string> {
  const body = JSON.stringify({ templateId: TEMPLATE, modelType: 'scripted', priority: 'normal', userId: 'chaos', variables });
  const headers = { 'content-type': 'application/json', 'idempotency-key': randomUUID() };
  let id = '';
  await until(async () => {
    try {
      const answer = await fetch(`${system.endpoints.api}/commands/create-task`, { method: 'POST', headers, body, signal: AbortSignal.timeout(15_000) });
      if (answer.status !== 202) return false;
      id = ((await answer.json()) as { taskId: string }).taskId;
      return true;
    } catch (thrown) {
      // The api was killed under this request; a client sends it again.
      if (['TypeError', 'TimeoutError'].includes((thrown as Error).name)) return false;
      throw thrown;
    }
  }, 'a task is accepted', 120_000, 200);
  return id;
}

test(`${TASKS} tasks under ${KILLS} kills are ${TASKS} exact stories`, async () => {
  const producer = new Kafka({ clientId: 'partner', brokers: system.endpoints.kafka.split(','), logLevel: logLevel.NOTHING }).producer();
  await producer.connect();
  let killed = 0;
  const ids: string[] = [];

  async function load(): Promise<void> {
    while (ids.length < TASKS || killed < KILLS) {
      const taskId = randomUUID();
      const value = JSON.stringify({ eventId: randomUUID(), taskId, templateId: TEMPLATE, priority: 'normal', modelType: 'scripted', timestamp: Date.now(), userId: 'chaos', variables });
      await producer.send({ topic: 'task.created', messages: [{ key: taskId, value }, { key: taskId, value }] });
      ids.push(taskId, await submitByRest());
    }
  }
  async function kill(): Promise<void> {
    for (let turn = 0; killed < KILLS; turn += 1) {
      // A kill counts when it hit a process that was there, and the next waits until there was work in between.
      const before = ids.length;
      if (system.kill(VICTIMS[turn % VICTIMS.length] ?? '')) killed += 1;
      await until(() => ids.length >= before + 4, 'work goes on', 120_000);
    }
  }
  await Promise.all([load(), load(), kill()]);
  await producer.disconnect();

  const brokers = system.endpoints.kafka;
  await until(async () => (await recordsEver(brokers, 'content.stored')) >= ids.length, 'all is stored', 300_000, 500);
  let verdict = judge([], ids, TERMINAL);
  await until(async () => {
    verdict = judge(await readTopics(brokers, FACT_TOPICS), ids, TERMINAL);
    return verdict.exact === ids.length;
  }, 'every story is exact', 60_000, 2_000).catch(() => expect(verdict.faults).toEqual([]));
  expect(verdict.faults).toEqual([]);
  expect(verdict.exact).toBe(ids.length);
  for (const story of verdict.stories.values()) expect(story.filter((fact) => fact.type === 'TaskAssigned')).toHaveLength(2);
}, 900_000);
