import { spawn, type ChildProcess } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import type { Pool } from 'pg';
import { openClickHouse, type ClickHouse } from '../../src/analytics/clickhouse';
import { readConfig, type Config } from '../../src/config';
import { migrate } from '../../src/facts/migrate';
import { windowId } from '../../src/facts/identity';
import { openPool } from '../../src/facts/postgres';
import type { Producer } from '../../src/kafka/port';
import { openProducer } from '../../src/kafka/producer';
import { createTopics } from '../../src/kafka/topics';
import { openLog } from '../../src/log';
import { readTopics } from '../../src/replay/read-topics';
import { readWindow, type WindowValue } from '../../src/windows/contract';
import { windowStreams } from '../../src/windows/streams';
import { compiled } from './compiled';
import { ownDatabase } from './database';
import { realParts } from './stack';
import { awaitLeaders } from './topic';
import { until } from './until';

/** Topics, PostgreSQL and ClickHouse of its own, and processes that can be killed. */
export interface WindowsStage {
  readonly config: Config;
  readonly db: Pool;
  readonly producer: Producer;
  readonly clickhouse: ClickHouse;
  readonly streams: readonly string[];
  /** Starts `workers/<name>.js`; `as` is what PostgreSQL calls it, where there are several. */
  start(name: string, as?: string): ChildProcess;
  kill(as: string, signal?: NodeJS.Signals): void;
  /** Who publishes the windows now: what PostgreSQL calls it. */
  leader(): Promise<string>;
  /** Every record of the streams, each topic's partitions in their order. */
  told(): Promise<ToldWindow[]>;
  /** Loses ClickHouse, as if its disk were new. */
  emptyClickHouse(): Promise<void>;
  close(): Promise<void>;
}

export interface ToldWindow {
  readonly key: string;
  readonly ceId: string;
  readonly text: string;
  readonly window: WindowValue;
}

export async function openWindowsStage(settings: Record<string, string> = {}): Promise<WindowsStage> {
  const parts = await realParts();
  const database = await ownDatabase(parts.DATABASE_URL ?? '');
  const url = new URL(parts.CLICKHOUSE_URL ?? '');
  url.pathname = `/w_${randomUUID().replaceAll('-', '')}`;
  const env = {
    ...parts, DATABASE_URL: database.url, CLICKHOUSE_URL: url.href, KAFKA_TOPIC_PREFIX: `${randomUUID()}.`, KAFKA_SESSION_TIMEOUT_MS: '3000', LOG_LEVEL: process.env.WINDOWS_LOG ?? 'silent', ...settings,
  };
  const config = readConfig(env);
  const log = openLog(config, 'test');
  const db = openPool(config, 'test', 4);
  await migrate(db);
  await awaitLeaders(config, await createTopics(config, log));
  const producer = openProducer(config, log, { sendTimeoutMs: 10_000 });
  producer.start();
  await until(() => producer.connected, 'the producer has a connection');
  const clickhouse = openClickHouse(config, 'default');
  const dist = await compiled();
  const children = new Map<string, ChildProcess>();
  const streams = windowStreams().map(({ topic }) => topic);
  const drop = () => clickhouse.command(`DROP DATABASE IF EXISTS ${url.pathname.slice(1)} SYNC`);

  return {
    config, db, producer, clickhouse, streams,
    start(name, as = name) {
      const child = spawn(process.execPath, [join(dist, 'workers', `${name}.js`)], {
        env: { PATH: process.env.PATH, ...env, DATABASE_URL: `${database.url}?application_name=${as}` }, stdio: ['ignore', process.env.WINDOWS_LOG ? 'inherit' : 'ignore', 'inherit'],
      });
      children.set(as, child);
      return child;
    },
    kill: (as, signal = 'SIGKILL') => void children.get(as)?.kill(signal),
    async leader() {
      let found: string | undefined;
      await until(async () => {
        const { rows } = await db.query<{ name: string }>(
          `SELECT a.application_name AS name FROM pg_locks l JOIN pg_stat_activity a USING (pid)
           WHERE l.locktype = 'advisory' AND l.granted AND l.objid = 5140615 AND a.datname = current_database()`);
        found = rows[0]?.name;
        return found !== undefined;
      }, 'somebody publishes the windows', 30_000);
      return found!;
    },
    async told() {
      const all: ToldWindow[] = [];
      for await (const records of readTopics(config, log, streams)) {
        for (const { key, value, headers } of records) {
          const window = readWindow(String(value));
          all.push({ key: String(key), ceId: headers.ce_id ?? '', text: String(value), window: window! });
        }
      }
      return all;
    },
    emptyClickHouse: drop,
    async close() {
      for (const child of children.values()) child.kill('SIGKILL');
      await producer.stop();
      await drop();
      await clickhouse.close();
      await db.end();
      await database.drop();
    },
  };
}

/** The last record of each window, as a compacted topic keeps it, but for revision and closed. */
export function lastWindows(told: readonly ToldWindow[]): Map<string, Record<string, unknown>> {
  return new Map(told.map(({ window: { revision: _revision, closed: _closed, ...rest } }) => [`${rest.stream as string} ${rest.start as string}`, rest]));
}

/** What every reader may rely on along the topics: a list of what is not so. */
export function breaches(told: readonly ToldWindow[]): string[] {
  const found: string[] = [];
  const last = new Map<string, ToldWindow>();
  const texts = new Map<string, string>();
  for (const one of told) {
    const { stream, start, revision, events, closed } = one.window;
    const name = `${stream} ${start}`;
    const before = last.get(name)?.window;
    if (one.key !== start) found.push(`${name} has the key ${one.key}`);
    if (one.ceId !== windowId(stream, start, revision)) found.push(`${name} revision ${revision} has another ce_id`);
    if ((texts.get(one.ceId) ?? one.text) !== one.text) found.push(`${name} revision ${revision} was said with other bytes before`);
    if (before && revision < before.revision) found.push(`${name} goes back from revision ${before.revision} to ${revision}`);
    if (before && events < before.events) found.push(`${name} goes back from ${before.events} events to ${events}`);
    if (before?.closed && !closed) found.push(`${name} was closed and opens again`);
    last.set(name, one);
    texts.set(one.ceId, one.text);
  }
  return found;
}
