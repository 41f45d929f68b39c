import { ClickHouseLogLevel, createClient, type ClickHouseClient } from '@clickhouse/client';
import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { openAnalytics } from '../src/analytics/consumer';
import { eventTopics } from '../src/analytics/event';
import { readConfig } from '../src/config';
import { openHint } from '../src/facts/hint';
import { factId } from '../src/facts/identity';
import { openItems } from '../src/items/store';
import { clusterName, openKafka } from '../src/kafka/client';
import { openLog } from '../src/log';
import { readTopics } from '../src/replay/read-topics';
import type { Fact } from '../workflows/kernel/fact';
import { compiled } from './setup/compiled';
import { createdOrder } from './setup/orders';
import { PARTS_TIMEOUT_MS, realParts } from './setup/stack';
import { failedStoryOf, storyOf } from './setup/story';
import { tcpProxy, type TcpProxy } from './setup/tcp-proxy';
import { openToldStage, paidOrder, type ToldStage } from './setup/told-stage';
import { until } from './setup/until';

/**
 * Every event is one row in ClickHouse, and every number of analytics is right, whatever was delivered twice, killed
 * or lost. The full dose of kills: FAZENDA_ANALYTICS_KILLS=20 npm test -- analytics.test
 */
const KILLS = Number(process.env.FAZENDA_ANALYTICS_KILLS ?? 1);

interface Row {
  readonly ce_id: string;
  readonly aggregate: string;
  readonly aggregate_id: string;
  readonly version: number;
  readonly type: string;
  readonly topic: string;
  readonly time: string;
  readonly payload: string;
}

let stage: ToldStage;
let client: ClickHouseClient;
let proxy: TcpProxy;
/** By way of the proxy, so that it can be away from us and from nobody else. */
let url: string;
const database = `t_${randomUUID().replaceAll('-', '')}`;
let running: Awaited<ReturnType<typeof runAnalytics>> | undefined;
const processes: ChildProcess[] = [];

beforeAll(async () => {
  const there = new URL((await realParts()).CLICKHOUSE_URL ?? '');
  proxy = await tcpProxy(there.host);
  there.pathname = `/${database}`;
  client = createClient({ url: there.href, log: { level: ClickHouseLogLevel.OFF } });
  there.port = String(proxy.port);
  url = there.href;
  stage = await openToldStage({ CLICKHOUSE_URL: url });
}, PARTS_TIMEOUT_MS);
afterAll(async () => {
  for (const one of processes) one.kill('SIGKILL');
  await running?.stop();
  await client.command({ query: `DROP DATABASE IF EXISTS ${database}` });
  await Promise.all([client.close(), stage.close()]);
  await proxy.close();
});

/** The process, in this one. `failed` is what it would have ended for. */
async function runAnalytics() {
  const faults: unknown[] = [];
  const log = openLog({ ...stage.config, LOG_LEVEL: 'silent' }, 'analytics');
  const analytics = openAnalytics({ config: readConfig({ ...(await realParts()), KAFKA_TOPIC_PREFIX: stage.config.KAFKA_TOPIC_PREFIX, CLICKHOUSE_URL: url, KAFKA_SESSION_TIMEOUT_MS: '3000', LOG_LEVEL: 'silent' }), log, db: stage.db, limits: { lingerMs: 50 }, fail: (reason) => void faults.push(reason) });
  analytics.start();
  return { faults, stop: () => analytics.stop() };
}

async function select<Result>(query: string): Promise<Result[]> {
  return (await client.query({ query, format: 'JSONEachRow' })).json<Result>();
}

async function rowsInClickHouse(): Promise<number> {
  const [row] = await select<{ rows: number }>('SELECT toUInt32(count()) AS rows FROM events').catch(() => []);
  return row?.rows ?? 0;
}

/** What the topics tell: of each `ce_id` the record that was there first, by the envelope alone. */
async function toldByTopics(): Promise<Map<string, { subject: string; sequence: number; type: string; topic: string; at: string; value: string }>> {
  const told = new Map<string, { subject: string; sequence: number; type: string; topic: string; at: string; value: string }>();
  for await (const records of readTopics(stage.config, openLog(stage.config, 'test'), eventTopics())) {
    for (const { topic, value, headers: { ce_id: id, ce_source: source = '', ce_subject: subject = '', ce_sequence: sequence = '', ce_type: type = '', ce_time: at = '' } } of records) {
      // Whoever only says that he is ours has not the id of that version.
      const ours = id === factId(source.replace('/fazenda/', ''), subject, Number(sequence));
      if (ours && !told.has(id)) told.set(id, { subject, sequence: Number(sequence), type, topic, at, value: String(value) });
    }
  }
  return told;
}

async function expectEqualToTopics(): Promise<void> {
  const told = await toldByTopics();
  await until(async () => (await rowsInClickHouse()) >= told.size, `all ${told.size} events are in ClickHouse`, 60_000, 100);
  const rows = await select<Row>(`SELECT * FROM events WHERE aggregate_id != '${partners}'`);
  expect(rows).toHaveLength(told.size);
  for (const row of rows) {
    const record = told.get(row.ce_id);
    expect([row.aggregate_id, row.version, row.type, row.topic, `${row.time.replace(' ', 'T')}Z`]).toEqual([record?.subject, record?.sequence, record?.type, record?.topic, record?.at]);
    expect(JSON.parse(row.payload)).toEqual(JSON.parse(record?.value ?? ''));
  }
}

const second = (at: number) => new Date(Date.UTC(2026, 0, 1, 12, 0, at)).toISOString();

/** A task that kept its rules at the second attempt. */
function secondAttempt(id: string): Fact[] {
  const [created, assigned, generated, validated, stored] = storyOf(id);
  const failures = [{ rule: 'length', fact: 'words', operator: 'greaterThan', expected: 40, measured: 3 }, { rule: 'tone', fact: 'bannedWords', operator: 'equal', expected: 0, measured: 1 }];
  return [
    created!, assigned!, generated!,
    { type: 'ValidationFailed', version: 4, at: second(5), data: { taskId: id, attempt: 1, failures } },
    { ...assigned!, version: 5, at: second(6), data: { ...assigned!.data, attempt: 2 } } as Fact,
    { ...generated!, version: 6, at: second(10) }, { ...validated!, version: 7, at: second(11) }, { ...stored!, version: 8, at: second(12) },
  ];
}

/** An order whose items were held and set free again. */
function declinedOrder(id: string): Fact[] {
  const created = createdOrder({ id, items: { p1: 2, p2: 1 } }, second(1));
  const items = [{ productId: 'p1', quantity: 2 }, { productId: 'p2', quantity: 1 }];
  const { clientId, total } = created.data;
  return [
    created,
    { type: 'InventoryReserved', version: 2, at: second(2), data: { orderId: id, items } },
    { type: 'PaymentDeclined', version: 3, at: second(3), data: { orderId: id, amount: '10.00', paymentId: 'p' } },
    { type: 'InventoryReleased', version: 4, at: second(4), data: { orderId: id, items, reason: 'declined' } },
    { type: 'OrderFailed', version: 5, at: second(5), data: { orderId: id, clientId, clientName: null, status: 'FALHA', total, updatedAt: second(5) } },
  ];
}

const tasks = { good: randomUUID(), second: randomUUID(), failed: randomUUID() };
const orders = { paid: randomUUID(), dear: randomUUID(), declined: randomUUID(), held: randomUUID() };
const partners = randomUUID();

async function publishAgain(): Promise<void> {
  await stage.db.query('UPDATE facts SET published_at = NULL');
  await stage.publish();
}

test('each event is one row, as its topic tells it: told twice, told by a partner, told by nobody', async () => {
  await stage.tell('content', tasks.good, storyOf(tasks.good));
  await stage.tell('content', tasks.second, secondAttempt(tasks.second));
  await stage.tell('content', tasks.failed, failedStoryOf(tasks.failed));
  await stage.tell('order', orders.paid, paidOrder(orders.paid));
  const [created, reserved, captured, paid] = paidOrder(orders.dear) as [Fact, Fact, Fact, Fact];
  // 0.1 + 0.2 of nobody's arithmetic, on another day.
  await stage.tell('order', orders.dear, [created, reserved, captured, { ...paid, at: '2026-01-02T00:00:00.001Z', data: { ...paid.data, total: 1234567.3 } }]);
  await stage.tell('order', orders.declined, declinedOrder(orders.declined));
  await stage.tell('order', orders.held, paidOrder(orders.held).slice(0, 2));
  const items = openItems(stage.db, true, openHint(stage.db, () => undefined));
  const call = { userId: 'u', correlationId: 'c', traceparent: `00-${'1'.repeat(32)}-${'2'.repeat(16)}-01` };
  const { id: item } = await items.create(randomUUID(), { name: 'n', sku: 's' }, call);
  await items.update(item, { name: 'm' }, call);
  await stage.publish();
  await publishAgain();

  running = await runAnalytics();
  await expectEqualToTopics();
  const told = await rowsInClickHouse();
  expect(told).toBe(5 + 8 + 2 + 4 + 4 + 5 + 2 + 2);
  expect(await select('SELECT aggregate, count() > 0 AS some FROM events GROUP BY 1 ORDER BY 1')).toEqual(['content', 'item', 'order'].map((aggregate) => ({ aggregate, some: 1 })));

  // A partner tells its order twice, otherwise; and what is no event is nobody's.
  const kafka = openKafka(stage.config, openLog(stage.config, 'test')).producer();
  await kafka.connect();
  const partner = (more: object) => JSON.stringify({ orderId: partners, clientId: 'c', total: 5, status: 'PENDENTE', items: [{ productId: 'p1', quantity: 1, price: 5 }], itemsCount: 1, createdAt: second(0), ...more });
  const forged = { ce_source: '/fazenda/order', ce_subject: 'x', ce_type: 'InventoryReserved', ce_sequence: '2', ce_time: second(0) };
  const unheard = factId('order', 'unheard-of', 2);
  await kafka.send({ topic: clusterName(stage.config, 'orders.created'), messages: [{ partition: 3, timestamp: '1767268800000', value: partner({}) }] });
  await kafka.send({ topic: clusterName(stage.config, 'orders.created'), messages: [{ partition: 7, timestamp: '1767268800001', value: partner({ total: 6, createdAt: '1980-01-01T00:00:00.000Z' }), headers: { ce_time: '1980-01-01T00:00:00.000Z' } }, { partition: 7, value: '{"orderId":1}' }, { partition: 7, value: null }] });
  await kafka.send({ topic: clusterName(stage.config, 'inventory.reserved'), messages: [
    { key: 'x', value: '{}', headers: { ...forged, ce_id: randomUUID() } },
    // It has the id of a fact of ours and not its shape: kept as it is, and it stops nobody.
    { key: 'unheard-of', value: '{"items":5}', headers: { ...forged, ce_subject: 'unheard-of', ce_id: unheard } },
  ] });
  await kafka.disconnect();
  await until(async () => (await rowsInClickHouse()) === told + 2, 'the partner’s order and the odd one are there');
  await publishAgain();
  await until(async () => (await lag()) === 0, 'everything is read');
  expect(await rowsInClickHouse()).toBe(told + 2);
  await expectFirstOfPartners();
  expect(running.faults).toEqual([]);
}, PARTS_TIMEOUT_MS);

/** Of the two that he told the first one counts, in whatever order they are read. */
async function expectFirstOfPartners(): Promise<void> {
  const rows = await select(`SELECT ce_id, version, JSONExtractFloat(payload, 'total') AS total FROM events WHERE aggregate_id = '${partners}'`);
  expect(rows).toEqual([{ ce_id: factId('order', partners, 1), version: 1, total: 5 }]);
}

/** Records that the group has not committed. */
async function lag(): Promise<number> {
  const admin = openKafka(stage.config, openLog(stage.config, 'test')).admin();
  await admin.connect();
  try {
    const group = await admin.fetchOffsets({ groupId: `${stage.config.KAFKA_TOPIC_PREFIX}analytics`, topics: eventTopics().map((topic) => clusterName(stage.config, topic)) });
    const behind = await Promise.all(group.map(async ({ topic, partitions }) => {
      const ends = new Map((await admin.fetchTopicOffsets(topic)).map(({ partition, high }) => [partition, Number(high)]));
      return partitions.reduce((sum, { partition, offset }) => sum + (ends.get(partition) ?? 0) - Math.max(0, Number(offset)), 0);
    }));
    return behind.reduce((sum, one) => sum + one, 0);
  } finally {
    await admin.disconnect();
  }
}

/** `npx fazenda stats`. */
async function stats(...args: string[]): Promise<string> {
  const { stdout } = await promisify(execFile)(process.execPath, [join(await compiled(), 'src', 'cli', 'main.js'), 'stats', ...args, '--api', stage.url], { env: { PATH: process.env.PATH } });
  return stdout;
}

test('each number of analytics is that of the history', async () => {
  const report = async (path: string) => {
    const { status, json, text } = await stage.call('GET', `/analytics/${path}`);
    if (status !== 200) throw new Error(text);
    return json.items as Record<string, unknown>[];
  };
  const reached = Object.fromEntries((await report(`funnel?domain=content`)).map(({ type, stories, share }) => [String(type), [stories, share]]));
  expect(reached).toEqual({ TaskCreated: [3, 1], TaskAssigned: [2, 0.6667], ContentGenerated: [2, 0.6667], ValidationFailed: [1, 0.3333], ContentValidated: [2, 0.6667], ContentStored: [2, 0.6667], TaskFailed: [1, 0.3333] });
  expect((await report('funnel')).map(({ domain }) => domain)).toEqual(expect.arrayContaining(['content', 'order', 'item']));

  const steps = await report('steps?domain=content');
  expect(steps.find(({ from, to }) => from === 'TaskAssigned' && to === 'ContentGenerated')).toEqual({ domain: 'content', from: 'TaskAssigned', to: 'ContentGenerated', count: 3, meanMs: 2000, p50Ms: 1000, p90Ms: 4000, p99Ms: 4000, maxMs: 4000 });
  expect(steps.find(({ from, to }) => from === 'ContentGenerated' && to === 'ValidationFailed')).toMatchObject({ count: 1, meanMs: 2000 });
  // What came before the first step of a span may lie before it.
  expect((await report(`steps?domain=content&from=${second(10)}`)).map(({ from, to, count }) => [from, to, count]).sort()).toEqual([['ContentGenerated', 'ContentValidated', 1], ['ContentValidated', 'ContentStored', 1], ['TaskAssigned', 'ContentGenerated', 1]]);

  expect(await report('attempts')).toEqual([{ domain: 'content', attempts: 1, outcome: 'good', stories: 1 }, { domain: 'content', attempts: 2, outcome: 'good', stories: 1 }]);
  expect(await report('failures')).toEqual([
    { domain: 'content', type: 'TaskFailed', reason: 'unknown-model', times: 1, stories: 1 },
    { domain: 'content', type: 'ValidationFailed', reason: 'length', times: 1, stories: 1 },
    { domain: 'content', type: 'ValidationFailed', reason: 'tone', times: 1, stories: 1 },
    { domain: 'order', type: 'OrderFailed', reason: 'failed', times: 1, stories: 1 },
    { domain: 'order', type: 'PaymentDeclined', reason: 'declined', times: 1, stories: 1 },
  ]);
  expect(await report('revenue')).toEqual([{ domain: 'order', day: '2026-01-02', amount: '1234567.30', stories: 1 }, { domain: 'order', day: '2026-01-01', amount: '10.00', stories: 1 }]);
  expect(await report(`revenue?until=${second(59)}`)).toEqual([{ domain: 'order', day: '2026-01-01', amount: '10.00', stories: 1 }]);
  expect(await report('stock-turns')).toEqual([
    { domain: 'order', product: 'p1', reserved: 5, released: 2, sold: 2, held: 1, stories: 4 },
    { domain: 'order', product: 'p2', reserved: 1, released: 1, sold: 0, held: 0, stories: 1 },
  ]);

  expect(await stats('order')).toMatch(/OrderPaid +\d+ [^]*2026-01-02 +1234567\.30 +1[^]*p1 +5 +2 +2 +1 +4/);
  expect(JSON.parse(await stats('content', '--until', second(4), '--json'))).toMatchObject({ attempts: [{ attempts: 1, stories: 2 }], revenue: [], 'stock-turns': [] });

  const { json } = await stage.call('GET', `/analytics/stories/${tasks.second}`);
  expect(json).toMatchObject({ id: tasks.second, stories: [{ domain: 'content', outcome: 'good', elapsedMs: 11_000 }] });
  expect((await stage.call('GET', '/analytics/stories/nobody')).status).toBe(404);
  const wrong = await stage.call('GET', '/analytics/revenue?from=yesterday&domain=cows&limit=3');
  expect([wrong.status, wrong.json.code, (wrong.json.errors as { path: string }[]).map(({ path }) => path).sort()]).toEqual([422, 'FZ_QUERY_INVALID', ['domain', 'from', 'limit']]);
});

test('while ClickHouse is away its partitions wait and the api says what to do; when it is back nothing is missing', async () => {
  await proxy.cut();
  const id = randomUUID();
  await stage.tell('content', id, storyOf(id));
  await stage.publish();
  const { status, json } = await stage.call('GET', '/analytics/funnel');
  expect([status, json.code, json.next]).toEqual([503, 'FZ_CLICKHOUSE_AWAY', expect.stringContaining('ClickHouse is back')]);
  await until(async () => (await lag()) > 0, 'it waits');
  await proxy.mend();
  await until(async () => (await select(`SELECT 1 FROM events WHERE aggregate_id = '${id}'`)).length === 5, 'the story is there');
  expect(running?.faults).toEqual([]);
});

test('a ClickHouse that was lost is filled from the beginning of the topics, whatever was committed', async () => {
  const before = await rowsInClickHouse();
  await until(async () => (await lag()) === 0, 'everything is committed');
  await client.command({ query: `DROP DATABASE ${database} SYNC` });
  await until(() => running?.faults.length !== 0, 'it is noticed', 15_000);
  expect(running?.faults[0]).toMatchObject({ code: 'FZ_CLICKHOUSE_EMPTY' });
  await running?.stop();
  running = await runAnalytics();
  await until(async () => (await rowsInClickHouse()) === before, 'all of it is there again', 60_000, 100);
  await until(async () => (await lag()) === 0, 'everything is read again', 30_000);
  await expectFirstOfPartners();
  await running.stop();
  running = undefined;
}, 90_000);

test(`${KILLS} kills of the process under load: ClickHouse and the topics tell the same`, async () => {
  const script = join(await compiled(), 'workers', 'analytics.js');
  const { KAFKA_TOPIC_PREFIX, DATABASE_URL } = stage.config;
  const env = { PATH: process.env.PATH, ...(await realParts()), KAFKA_TOPIC_PREFIX, DATABASE_URL: DATABASE_URL.reveal(), CLICKHOUSE_URL: url, KAFKA_SESSION_TIMEOUT_MS: '1500', LOG_LEVEL: 'silent' };
  const start = () => processes.push(spawn(process.execPath, [script], { env, stdio: 'ignore' }));
  let over = false;
  let told = 0;
  async function load(): Promise<void> {
    while (!over) {
      const stories = new Map(Array.from({ length: 40 }, () => randomUUID()).map((id) => [id as string, storyOf(id)]));
      await stage.tellMany('content', stories);
      await stage.publish();
      told += stories.size;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
  start();
  const loading = load();
  for (let kills = 0; kills < KILLS; kills += 1) {
    const before = await rowsInClickHouse();
    await until(async () => (await rowsInClickHouse()) > before, 'there was work in between', 60_000, 50);
    processes.at(-1)?.kill('SIGKILL');
    start();
  }
  over = true;
  await loading;
  expect(told).toBeGreaterThanOrEqual(KILLS * 40);
  await expectEqualToTopics();
}, 60_000 + KILLS * 30_000);
