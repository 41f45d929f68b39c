import { randomUUID } from 'node:crypto';
import type { Client } from '@temporalio/client';
import type { NativeConnection, Worker } from '@temporalio/worker';
import type { Pool } from 'pg';
import { createActivities, type Activities } from '../../activities';
import type { PaymentProvider } from '../../activities/payment/port';
import { simulatedProvider } from '../../activities/payment/simulated';
import { readConfig, type Config } from '../../src/config';
import { migrate } from '../../src/facts/migrate';
import { openPool } from '../../src/facts/postgres';
import { factsFrom, type StoredFact } from '../../src/facts/read';
import { admitMail, admitStarts } from '../../src/ingress/admit';
import { openLog } from '../../src/log';
import { openObjectStore } from '../../src/storage/s3';
import { connectTemporal } from '../../src/temporal/connect';
import { Endings } from '../../src/temporal/endings';
import { installRuntime, openActivityWorker, openWorkflowWorker } from '../../src/temporal/worker';
import { content } from '../../workflows/content/definition';
import { GENERATOR_QUEUE } from '../../workflows/content/queue';
import { wrapped, type Around } from './around';
import { ownDatabase } from './database';
import { ownNamespace } from './namespace';
import { realParts } from './stack';

/** Stories on a real Temporal, PostgreSQL and S3, without Kafka: a database and a namespace of their own. */
export interface Bench {
  readonly config: Config;
  /** The same configuration as variables, for a process of its own. */
  readonly env: Readonly<Record<string, string>>;
  readonly db: Pool;
  readonly client: Client;
  readonly connection: NativeConnection;
  readonly activities: Activities;
  /** Of the stories that its workers run. */
  readonly endings: Endings;
  /** A workflow worker and an agent; `around` may change what an activity does. */
  startWorkers(around?: Around): Promise<{ stop(): Promise<void> }>;
  /** Tells fact 1 and starts the story, as the door does. */
  begin(variables?: Record<string, unknown>, id?: string): Promise<string>;
  /** Sends a cancel, as the door does. */
  cancel(id: string, reason?: string): Promise<void>;
  facts(id: string): Promise<StoredFact[]>;
  /** The facts of a story once it is over. */
  ended(id: string): Promise<StoredFact[]>;
  /** The same stores, and a Temporal that has never heard of anything. */
  emptyNamespace(): Promise<Bench>;
  close(): Promise<void>;
}

let runtimeInstalled = false;

/** @param payments who captures payments, given the bench's database; the simulated provider as it is, where none is given. */
export async function openBench(env: Record<string, string> = {}, payments: (db: Pool) => PaymentProvider = simulatedProvider): Promise<Bench> {
  const parts = await realParts();
  const database = await ownDatabase(parts.DATABASE_URL ?? '');
  const base = { ...parts, DATABASE_URL: database.url, LOG_LEVEL: 'silent', TEMPORAL_WORKFLOW_TASK_TIMEOUT_MS: '3000', S3_BUCKET: `b-${randomUUID()}`, ...env };
  const db = openPool(readConfig(base), 'bench');
  await migrate(db);
  const bench = await openOn(base, db, payments(db));
  return { ...bench, close: async () => { await bench.close(); await db.end(); await database.drop(); } };
}

async function openOn(env: Record<string, string>, db: Pool, payments: PaymentProvider): Promise<Bench> {
  const own = { ...env, TEMPORAL_NAMESPACE: await ownNamespace(env.TEMPORAL_ADDRESS ?? ''), TEMPORAL_TASK_QUEUE: randomUUID() };
  const config = readConfig(own);
  if (!runtimeInstalled) installRuntime(openLog(config, 'bench'));
  runtimeInstalled = true;
  const store = openObjectStore(config);
  await store.ensureBucket();
  const { connection, client } = await connectTemporal(config);
  const activities = createActivities({ config, db, store, payments, temporal: client, hint: () => undefined });
  const deps = { config, db, temporal: client, hint: () => undefined };
  const endings = new Endings();

  const facts = (id: string) => factsFrom(db, content.name, id);
  return {
    config, env: own, db, client, connection, activities, endings, facts,
    async startWorkers(around) {
      const used = around ? wrapped(activities, around) : activities;
      const workers = await Promise.all([
        openWorkflowWorker(config, connection, used, endings),
        openActivityWorker(config, connection, { generateDraft: used.generateDraft }, { name: GENERATOR_QUEUE, capacity: 10, perSecondMax: 1_000 }),
      ]);
      const running = workers.map((worker) => worker.run());
      return { stop: () => stop(workers, running) };
    },
    async begin(variables = {}, id = randomUUID()) {
      await admitStarts(deps, content, [startOf(id, variables)]);
      return id;
    },
    async cancel(id, reason) {
      const mail = { id: `cancel-of-${id}`, type: 'cancel', data: { by: 'tester', reason: reason ?? null } };
      await admitMail(deps, content, [{ kind: 'mail', id, mail, record: recordOf(id) }]);
    },
    async ended(id) {
      for (;;) {
        const story = await facts(id);
        if (['ContentStored', 'TaskFailed', 'TaskCancelled'].includes(story.at(-1)?.type ?? '')) return story;
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    },
    emptyNamespace: () => openOn(env, db, payments),
    async close() {
      await connection.close();
      store.close();
    },
  };
}

async function stop(workers: readonly Worker[], running: readonly Promise<void>[]): Promise<void> {
  for (const worker of workers) if (worker.getState() === 'RUNNING') worker.shutdown();
  await Promise.all(running);
}

function startOf(id: string, variables: Record<string, unknown>) {
  const data = {
    eventId: `event-of-${id}`, taskId: id, templateId: '00000000-0000-4000-8000-000000000001', priority: 'normal',
    modelType: 'drafts' in variables ? 'scripted' : 'local', timestamp: Date.now(), userId: 'tester', variables,
  };
  const fact = { type: 'TaskCreated', version: 1, at: new Date(data.timestamp).toISOString(), data };
  const origin = { place: 'task.created/0/0', correlationId: id, traceparent: undefined, published: true };
  return { kind: 'start' as const, id, fact, origin, record: recordOf(id) };
}

function recordOf(id: string) {
  return { topic: 'task.created', partition: 0, offset: '0', key: Buffer.from(id), value: null, headers: {}, rawHeaders: {}, timestamp: 0 };
}
