import { spawn, type ChildProcess } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { openClickHouse } from '../../src/analytics/clickhouse';
import { windowId } from '../../src/facts/identity';
import { openLog } from '../../src/log';
import { extentsOf, readTopics } from '../../src/replay/read-topics';
import { readWindow, type WindowValue } from '../../src/windows/contract';
import { windowStreams } from '../../src/windows/streams';
import { openApi, type TestApi } from './api';
import { compiled } from './compiled';
import { realParts } from './stack';
import { until } from './until';

/** Topics, PostgreSQL and ClickHouse of its own, an API, and processes that can be killed. */
export interface WindowsStage extends TestApi {
  readonly streams: readonly string[];
  /** Starts `workers/<name>.js`; `as` is what PostgreSQL calls it, where there are several. */
  start(name: string, as?: string): ChildProcess;
  kill(as: string, signal?: NodeJS.Signals): void;
  /** Who publishes the windows now: what PostgreSQL calls it. */
  leader(): Promise<string>;
  /** How far the streams' topics go, their records and the marks of transactions. */
  reached(): Promise<bigint>;
  /** Every record of the streams, each topic's partitions in their order. */
  told(): Promise<ToldWindow[]>;
  /** Loses ClickHouse, as if its disk were new. */
  emptyClickHouse(): Promise<void>;
}

export interface ToldWindow {
  readonly key: string;
  readonly ceId: string;
  readonly text: string;
  readonly window: WindowValue;
}

export async function openWindowsStage(settings: Record<string, string> = {}): Promise<WindowsStage> {
  const parts = await realParts();
  const url = new URL(parts.CLICKHOUSE_URL ?? '');
  url.pathname = `/w_${randomUUID().replaceAll('-', '')}`;
  const own = { CLICKHOUSE_URL: url.href, KAFKA_SESSION_TIMEOUT_MS: '3000', ...settings };
  const api = await openApi({ env: own });
  const { config, db } = api;
  const database = config.DATABASE_URL.reveal();
  const env = { PATH: process.env.PATH, ...parts, KAFKA_TOPIC_PREFIX: config.KAFKA_TOPIC_PREFIX, LOG_LEVEL: process.env.WINDOWS_LOG ?? 'silent', ...own };
  const log = openLog(config, 'test');
  const clickhouse = openClickHouse(config, 'default');
  const dist = await compiled();
  const children = new Map<string, ChildProcess>();
  const streams = windowStreams().map(({ topic }) => topic);
  const drop = () => clickhouse.command(`DROP DATABASE IF EXISTS ${url.pathname.slice(1)} SYNC`);

  return {
    ...api, streams,
    start(name, as = name) {
      const child = spawn(process.execPath, [join(dist, 'workers', `${name}.js`)], {
        env: { ...env, DATABASE_URL: `${database}?application_name=${as}` }, stdio: ['ignore', process.env.WINDOWS_LOG ? 'inherit' : 'ignore', 'inherit'],
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
    reached: async () => (await extentsOf(config, log, streams)).reduce((sum, { high }) => sum + high, 0n),
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
      await drop();
      await clickhouse.close();
      await api.close();
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
