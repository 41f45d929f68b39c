import { ClickHouseLogLevel, createClient } from '@clickhouse/client';
import { fork, type ChildProcess } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import type { Pool } from 'pg';
import { readConfig, type Config } from '../../src/config';
import { migrate } from '../../src/facts/migrate';
import { openPool } from '../../src/facts/postgres';
import { createTopics } from '../../src/kafka/topics';
import { openLog } from '../../src/log';
import { PortBook } from '../../src/runtime/ports';
import { openObjectStore } from '../../src/storage/s3';
import { compiled, workflowBundle } from './compiled';
import { ownDatabase } from './database';
import { ownNamespace } from './namespace';
import { realParts } from './stack';
import { awaitLeaders } from './topic';
import { until } from './until';

/** fazenda's processes as they are run, on the shared parts, with stores of their own: the road without `npm start`. */
export interface Road {
  readonly api: string;
  readonly config: Config;
  readonly db: Pool;
  /** Asks analytics. */
  select(query: string): Promise<readonly Readonly<Record<string, unknown>>[]>;
  /** SIGTERM to all; rejects where one ends with another code than 0. */
  stop(): Promise<void>;
}

const PROCESSES = ['api', 'ingress', 'worker', 'agent', 'relay', 'gateway', 'dispatcher', 'notifier', 'analytics'] as const;

/** @param env what they are told beside where their parts are; each process logs to `<logs>/<name>.log` where that is named */
export async function openRoad(env: Readonly<Record<string, string>>, logs?: string): Promise<Road> {
  const parts = await realParts();
  const database = await ownDatabase(parts.DATABASE_URL ?? '');
  const ports = new PortBook();
  const [port, gateway] = [await ports.claim(3_000), await ports.claim(3_001)];
  const clickhouse = new URL(parts.CLICKHOUSE_URL ?? '');
  clickhouse.pathname = `/t_${randomUUID().replaceAll('-', '')}`;
  const own = {
    ...parts, DATABASE_URL: database.url, CLICKHOUSE_URL: clickhouse.href, S3_BUCKET: `b-${randomUUID()}`, PORT: String(port), GATEWAY_PORT: String(gateway), GATEWAY_URL: `http://127.0.0.1:${gateway}`,
    TEMPORAL_NAMESPACE: await ownNamespace(parts.TEMPORAL_ADDRESS ?? ''), TEMPORAL_TASK_QUEUE: randomUUID(), WORKFLOW_BUNDLE: await workflowBundle(),
    KAFKA_TOPIC_PREFIX: `${randomUUID()}.`, KAFKA_SESSION_TIMEOUT_MS: '6000', LOG_LEVEL: logs ? 'info' : 'silent', SMTP_URL: 'smtp://127.0.0.1:1', ...env,
  };
  const config = readConfig(own);
  const db = openPool(config, 'road');
  await migrate(db);
  await awaitLeaders(config, await createTopics(config, openLog({ ...config, LOG_LEVEL: 'silent' }, 'road')));
  const store = openObjectStore(config);
  await store.ensureBucket();
  store.close();

  const client = createClient({ url: clickhouse.href, log: { level: ClickHouseLogLevel.OFF } });
  const folder = await compiled();
  const children = await Promise.all(PROCESSES.map((name) => start(name, join(folder, 'workers', `${name}.js`), { ...own, ...(logs && { LOG_FILE: join(logs, `${name}.log`) }) })));
  const api = `http://127.0.0.1:${port}`;
  await until(async () => (await fetch(`${api}/readyz`)).status === 200, '/readyz is 200', 30_000);
  return {
    api, config, db,
    select: async (query) => (await client.query({ query, format: 'JSONEachRow' })).json<Record<string, unknown>>(),
    async stop() {
      const codes = await Promise.all(children.map(end));
      ports.release();
      await client.command({ query: `DROP DATABASE IF EXISTS ${clickhouse.pathname.slice(1)}` });
      await client.close();
      await db.end();
      await database.drop();
      if (codes.some((code) => code !== 0)) throw new Error(`they ended with ${codes.join(', ')}`);
    },
  };
}

async function start(name: string, script: string, env: Readonly<Record<string, string>>): Promise<ChildProcess> {
  const child = fork(script, { env: { PATH: process.env.PATH, ...env }, stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
  await new Promise<void>((resolve, reject) => {
    child.once('message', () => resolve()).once('exit', (code) => reject(new Error(`${name} ended with ${code} before it was ready`)));
  });
  return child;
}

async function end(child: ChildProcess): Promise<number | null> {
  if (child.exitCode !== null) return child.exitCode;
  const gone = new Promise<number | null>((resolve) => child.once('exit', resolve));
  child.kill('SIGTERM');
  return await gone;
}
