import { randomUUID } from 'node:crypto';
import type { Pool } from 'pg';
import { createApp } from '../../src/api/app';
import { openChecks } from '../../src/api/checks';
import { watchDependencies, type Checks } from '../../src/api/dependencies';
import { proxyToGateway } from '../../src/api/gateway-proxy';
import { listen } from '../../src/api/server';
import { readConfig, type Config } from '../../src/config';
import { migrate } from '../../src/facts/migrate';
import { openPool } from '../../src/facts/postgres';
import { PROMPT } from '../../src/kafka/client';
import type { Producer } from '../../src/kafka/port';
import { openProducer } from '../../src/kafka/producer';
import { createTopics } from '../../src/kafka/topics';
import { openLog } from '../../src/log';
import { registry } from '../../src/metrics';
import { lazyTemporal } from '../../src/temporal/lazy';
import { domains } from '../../workflows/domains';
import { ownDatabase } from './database';
import { realParts } from './stack';
import { awaitLeaders } from './topic';
import { until } from './until';

/** The API in this process, on the real parts, with tables and topics of its own. */
export interface TestApi {
  readonly url: string;
  readonly config: Config;
  readonly db: Pool;
  readonly producer: Producer;
  /** One request; a body that is no string is sent as JSON. */
  call(method: string, path: string, body?: unknown, headers?: Record<string, string>): Promise<Answer>;
  close(): Promise<void>;
}

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  /** The body as JSON; empty where there is none. */
  readonly json: Record<string, unknown>;
}

export interface TestApiOptions {
  readonly env?: Record<string, string>;
  /** Stands in for Kafka's client, for faults that a real broker would not make on demand. */
  readonly producer?: Producer;
  /** The same for the dependencies of `/readyz`; the facts are whole unless it says otherwise. */
  readonly checks?: Omit<Checks, 'facts'> & Partial<Checks>;
  /** False leaves out the topics, for tests that send nothing. */
  readonly topics?: boolean;
}

export async function openApi({ env = {}, producer: fake, checks: fakeChecks, topics = fake === undefined }: TestApiOptions = {}): Promise<TestApi> {
  const parts = await realParts();
  const database = await ownDatabase(parts.DATABASE_URL ?? '');
  const prefix = `${randomUUID()}.`;
  const config = readConfig({ ...parts, DATABASE_URL: database.url, PORT: '0', KAFKA_TOPIC_PREFIX: prefix, LOG_LEVEL: 'silent', ...env });

  const log = openLog(config, 'api');
  const db = openPool(config, 'test-api');
  await migrate(db);
  if (topics) await awaitLeaders(config, await createTopics(config, log));
  const producer = fake ?? openProducer(config, log, { retry: PROMPT, sendTimeoutMs: 4_000 });
  producer.start();
  const temporal = lazyTemporal(config);
  const opened = fakeChecks ? undefined : openChecks(config, log, db, producer, temporal);
  const watch = watchDependencies(fakeChecks ? { facts: async () => undefined, ...fakeChecks } : opened?.checks ?? never());
  const gateway = proxyToGateway(config.GATEWAY_URL, log);
  const app = createApp({ config, log, db, producer, temporal, watch, metrics: registry, domains, gateway });
  const server = await listen(config, app, gateway);
  const url = `http://127.0.0.1:${server.port}`;
  await until(() => producer.connected || fake !== undefined, 'the producer has a connection');

  return {
    url, config, db, producer,
    call: (method, path, body, headers) => call(url, method, path, body, headers),
    async close() {
      await server.stop();
      watch.stop();
      await opened?.close();
      await Promise.all([producer.stop(), temporal.connection.close()]);
      await db.end();
      await database.drop();
    },
  };
}

async function call(url: string, method: string, path: string, body?: unknown, headers: Record<string, string> = {}): Promise<Answer> {
  const init: RequestInit = { method, headers };
  if (body !== undefined) {
    init.body = typeof body === 'string' ? body : body instanceof Uint8Array ? new Uint8Array(body) : JSON.stringify(body);
    init.headers = { 'content-type': 'application/json', ...headers };
  }
  const answer = await fetch(`${url}${path}`, init);
  const text = await answer.text();
  const json = /json/.test(answer.headers.get('content-type') ?? '') ? (JSON.parse(text) as Record<string, unknown>) : {};
  return { status: answer.status, headers: answer.headers, text, json };
}

function never(): never {
  throw new Error('there are no checks');
}
