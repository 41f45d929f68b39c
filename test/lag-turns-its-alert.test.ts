import { fork, type ChildProcess } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Producer } from 'kafkajs';
import { readConfig, type Config } from '../src/config';
import { migrate } from '../src/facts/migrate';
import { openPool } from '../src/facts/postgres';
import '../src/analytics/metrics';
import { clusterName, openKafka } from '../src/kafka/client';
import { createTopics } from '../src/kafka/topics';
import { measureConnections } from '../src/live/metrics';
import { openLog } from '../src/log';
import { registry } from '../src/metrics';
import '../src/notify/metrics';
import { metricsOfText, type PageMetric } from '../src/prometheus-text';
import '../src/sweeper/sweeper';
import '../src/windows/metrics';
import { compiled, workflowBundle } from './setup/compiled';
import { ownDatabase } from './setup/database';
import { created } from './setup/ingress';
import { ownNamespace } from './setup/namespace';
import { freePort } from './setup/port-number';
import { alertRules, DEPLOY, prometheusTools, watchWith, type PrometheusTools, type WatchingPrometheus } from './setup/prometheus';
import { PARTS_TIMEOUT_MS, realParts } from './setup/stack';
import { awaitLeaders } from './setup/topic';
import { until } from './setup/until';

/**
 * An ingress and an api as processes of their own, and a real Prometheus that reads the api's page with the rules of
 * deploy/. What a consumer that is stopped does not tell has to be told by somebody else.
 */

const GROUP = 'task-assignment-group';
const TOPIC = 'task.created';
const AGE_MS = 120_000;
/** Where the SDK's library lies; as for Node itself, Linux is what is tested on. */
const RELEASES: Readonly<Record<string, string>> = { x64: 'x86_64-unknown-linux-gnu', arm64: 'aarch64-unknown-linux-gnu' };

let config: Config;
let url: string;
let writer: Producer;
let tools: PrometheusTools | undefined;
let prometheus: WatchingPrometheus | undefined;
let dropDatabase: () => Promise<unknown>;
const children = new Map<string, ChildProcess>();

beforeAll(async () => {
  const parts = await realParts();
  const database = await ownDatabase(parts.DATABASE_URL ?? '');
  dropDatabase = () => database.drop();
  const ports = { PORT: String(await freePort()), METRICS_PORT: String(await freePort()) };
  const env = {
    ...parts, ...ports, PATH: process.env.PATH ?? '', DATABASE_URL: database.url, KAFKA_TOPIC_PREFIX: `${randomUUID()}.`, KAFKA_SESSION_TIMEOUT_MS: '3000',
    TEMPORAL_NAMESPACE: await ownNamespace(parts.TEMPORAL_ADDRESS ?? ''), TEMPORAL_TASK_QUEUE: randomUUID(), LOG_LEVEL: 'silent',
    METRICS_PEERS: `ingress=127.0.0.1:${ports.METRICS_PORT}`, WORKFLOW_BUNDLE: await workflowBundle(),
  };
  config = readConfig(env);
  const log = openLog(config, 'test');
  const db = openPool(config, 'test');
  await migrate(db);
  await db.end();
  await awaitLeaders(config, await createTopics(config, log));
  writer = openKafka(config, log).producer({ allowAutoTopicCreation: false });
  const dist = await compiled();
  await Promise.all([writer.connect(), ...['api', 'ingress'].map((name) => begin(name, join(dist, 'workers', `${name}.js`), env))]);
  url = `http://127.0.0.1:${ports.PORT}`;
  tools = await prometheusTools();
  prometheus = tools && (await watchWith(tools, `127.0.0.1:${ports.PORT}`));
}, PARTS_TIMEOUT_MS);

afterAll(async () => {
  for (const child of children.values()) child.kill('SIGKILL');
  await prometheus?.stop();
  await writer.disconnect();
  await dropDatabase();
});

async function begin(name: string, script: string, env: Record<string, string>): Promise<void> {
  const child = fork(script, { env, stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
  children.set(name, child);
  await new Promise<void>((resolve, reject) => {
    child.once('message', () => resolve()).once('exit', (code) => reject(new Error(`${name} ended with ${code}`)));
  });
}

async function write(partition: number, ageMs: number): Promise<void> {
  const taskId = randomUUID();
  await writer.send({ topic: clusterName(config, TOPIC), messages: [{ partition, key: taskId, value: created(taskId), timestamp: String(Date.now() - ageMs) }] });
}

async function page(): Promise<PageMetric[]> {
  return metricsOfText(await (await fetch(`${url}/metrics`)).text());
}

/** The sum over the series that have these labels; undefined where there is none. */
function valueOf(all: readonly PageMetric[], name: string, labels: Record<string, string>): number | undefined {
  const series = all.find((metric) => metric.name === name)?.values.filter((one) => Object.entries(labels).every(([label, value]) => one.labels[label] === value)) ?? [];
  return series.length === 0 ? undefined : series.reduce((sum, { value }) => sum + value, 0);
}

async function seen(): Promise<{ started: number; records: number | undefined; seconds: number | undefined; series: number; up: number | undefined }> {
  const all = await page();
  const ours = { group: GROUP, topic: TOPIC };
  return {
    started: valueOf(all, 'fazenda_ingress_records_total', { topic: TOPIC, fate: 'started', process: 'ingress' }) ?? 0,
    records: valueOf(all, 'fazenda_consumer_lag', ours),
    seconds: valueOf(all, 'fazenda_consumer_lag_seconds', ours),
    series: all.find(({ name }) => name === 'fazenda_consumer_lag')?.values.filter(({ labels }) => labels.group === GROUP && labels.topic === TOPIC && labels.partition === '4').length ?? 0,
    up: valueOf(all, 'fazenda_process_up', { peer: 'ingress' }),
  };
}

function typesIn(text: string): string[] {
  return text.split('\n').flatMap((line) => /^# TYPE (\S+)/.exec(line)?.[1] ?? []);
}

/** Where Prometheus cannot be had, the numbers on the page have to do. */
async function turned(alert: string, labels: Record<string, string>): Promise<boolean | undefined> {
  const rule = alertRules().find((one) => one.alert === alert);
  if (!rule) throw new Error(`there is no alert ${alert}`);
  return (await prometheus?.ask(rule.expr))?.some((one) => Object.entries(labels).every(([label, value]) => one.labels[label] === value));
}

test('a consumer that stands still: its lag rises and its alert turns; it goes on, and both clear', async () => {
  const mine = { group: GROUP, topic: TOPIC };
  await write(4, 0);
  await until(async () => (await seen()).started === 1, 'the first is taken', 30_000, 200);
  await until(async () => { const { records, seconds } = await seen(); return records === 0 && seconds === 0; }, 'there is no lag', 20_000, 200);
  expect(await seen()).toMatchObject({ series: 1, up: 1 });
  expect(await turned('ConsumerLag', mine)).not.toBe(true);

  children.get('ingress')?.kill('SIGSTOP');
  await write(5, AGE_MS);
  await write(4, 0);
  await until(async () => (await seen()).records === 2, 'the lag is seen', 20_000, 200);
  const { seconds, up } = await seen();
  expect([up, Math.abs((seconds ?? 0) * 1_000 / AGE_MS - 1) < 0.15]).toEqual([0, true]);
  await until(async () => (await turned('ConsumerLag', mine)) !== false && (await turned('ProcessDown', { peer: 'ingress' })) !== false, 'the alerts turn', 15_000, 200);

  children.get('ingress')?.kill('SIGCONT');
  await until(async () => (await seen()).started === 3, 'it goes on', 30_000, 200);
  await until(async () => { const { records, seconds: now, up: there } = await seen(); return records === 0 && now === 0 && there === 1; }, 'the lag is gone', 20_000, 200);
  await until(async () => (await turned('ConsumerLag', mine)) !== true && (await turned('ProcessDown', { peer: 'ingress' })) !== true, 'the alerts clear', 15_000, 200);
}, 120_000);

test('what waits for somebody who is not there is seen: facts without a relay, tasks without an agent, dead letters', async () => {
  await writer.send({ topic: clusterName(config, TOPIC), messages: [{ partition: 4, key: 'x', value: '{' }] });
  const poison = { topic: TOPIC, code: 'FZ_RECORD_UNDECODABLE' };
  await until(async () => {
    const all = await page();
    const [facts, oldest, stories, tasks] = [
      valueOf(all, 'fazenda_relay_backlog', {}), valueOf(all, 'fazenda_relay_oldest_seconds', {}), valueOf(all, 'fazenda_open_stories', { domain: 'content' }),
      valueOf(all, 'fazenda_temporal_backlog_tasks', { queue: 'content-generator', type: 'activity' }),
    ];
    // Each of the three was assigned, which no relay publishes, and waits for an agent.
    return facts === 3 && (oldest ?? 0) > 0 && stories === 3 && tasks === 3
      && valueOf(all, 'fazenda_dead_letters_total', { ...poison, group: GROUP }) === 1 && valueOf(all, 'fazenda_dead_letters_unread', poison) === 1;
  }, 'all of it is on the page', 60_000, 500);
  const all = await page();
  expect(valueOf(all, 'fazenda_kafka_brokers', {})).toBe(1);
  expect(valueOf(all, 'fazenda_outside_call_seconds', { system: 'postgres', operation: 'admit', outcome: 'ok', process: 'ingress' })).toBeGreaterThan(0);
  expect(all.find(({ name }) => name === 'fazenda_dependency_up')?.values.map(({ value }) => value)).toEqual([1, 1, 1, 1]);
}, 90_000);

test('every metric that the dashboard and the alerts ask for is there', async () => {
  measureConnections({ connections: 0 });
  // The page of a real api and ingress, and what the other processes have on theirs.
  const text = await (await fetch(`${url}/metrics`)).text();
  const there = new Set([...typesIn(text), ...registry.getMetricsAsArray().map(({ name }) => name)]);
  const dashboard = readFileSync(join(DEPLOY, 'grafana', 'fazenda.json'), 'utf8');
  const expressions = [...dashboard.matchAll(/"expr": "((?:[^"\\]|\\.)*)"/g)].map(([, expr = '']) => expr);
  expect(expressions.length).toBeGreaterThan(20);
  const asked = [...expressions, ...alertRules().map(({ expr }) => expr)].flatMap((expr) => expr.match(/\b(?:fazenda|temporal)_\w+/g) ?? []);
  const missing = [...new Set(asked)].filter((name) => !there.has(name) && !there.has(name.replace(/_(bucket|sum|count)$/, '')));
  // The SDK shows a metric once it has something to say; until then its library has to know the name.
  const sdk = readFileSync(join(dirname(require.resolve('@temporalio/core-bridge/package.json')), 'releases', RELEASES[process.arch] ?? '', 'index.node'));
  const known = (name: string): boolean => name.startsWith('temporal_') && sdk.includes(name.replace(/^temporal_|(_seconds)?(_bucket|_total)$/g, ''));
  expect(missing.filter((name) => !known(name))).toEqual([]);
  expect([...there]).toEqual(expect.arrayContaining(['temporal_request_total', 'temporal_request_latency_seconds']));
});

test('the page is one that Prometheus takes, and bounded', async () => {
  const text = await (await fetch(`${url}/metrics`)).text();
  const types = typesIn(text);
  expect(types.filter((name, at) => types.indexOf(name) !== at)).toEqual([]);
  expect(text.split('\n').length).toBeLessThan(10_000);
  if (prometheus) await until(async () => ((await prometheus?.ask('up{job="fazenda"}')) ?? []).some(({ value }) => value === 1), 'it is scraped');
});
