import { execFile } from 'node:child_process';
import { randomBytes, randomUUID } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Client, Connection } from '@temporalio/client';
import { Kafka, logLevel } from 'kafkajs';
import { PROCESS_NAMES } from '../src/runtime/processes';
import { compiled } from './setup/compiled';
import { readTopics } from './setup/judge';
import { plainClient } from './setup/live-clients';
import { startSystem, SYSTEM_TIMEOUT_MS, type System } from './setup/system';
import { until } from './setup/until';

/**
 * `fazenda task ID` and `fazenda order ID`, held against the topics themselves, and what each process says in its log
 * about the same stories: by one correlation id and one trace id from the request to the letter.
 */

let system: System;
let main: string;
beforeAll(async () => {
  [system, main] = await Promise.all([startSystem({ LOG_LEVEL: 'debug', LANES_OPEN_MAX: '1' }), compiled().then((dist) => join(dist, 'src', 'cli', 'main.js'))]);
}, SYSTEM_TIMEOUT_MS);
afterAll(async () => {
  const code = await system.stop();
  system.forget();
  expect(code).toBe(0);
}, 30_000);

interface Line {
  readonly at: string | null;
  readonly sinceAcceptedMs: number | null;
  readonly teller: string;
  readonly event: string;
  readonly text: string;
  readonly version?: number;
  readonly place?: { readonly topic: string; readonly partition: number; readonly offset: string };
}

interface Told {
  readonly status: string | null;
  readonly done: boolean;
  readonly correlationId: string | null;
  readonly traceId: string | null;
  readonly acceptedAt: string;
  readonly path: readonly Line[];
  readonly away: readonly object[];
}

function cli(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  return new Promise((resolve) => {
    const env = { PATH: process.env.PATH, FAZENDA_HOME: system.home };
    execFile(process.execPath, [main, ...args], { env, maxBuffer: 64 * 1024 * 1024 }, (fault, out, err) => resolve({ code: fault ? Number(fault.code) : 0, out, err }));
  });
}

async function told(noun: string, id: string): Promise<Told> {
  const { code, out } = await cli(noun, id, '--json');
  expect([code, out]).toEqual([0, expect.stringContaining(id)]);
  return JSON.parse(out) as Told;
}

async function call(method: string, path: string, body: object, headers: Record<string, string> = {}): Promise<{ status: number; json: Record<string, unknown> }> {
  const answer = await fetch(`${system.endpoints.api}${path}`, { method, headers: { 'content-type': 'application/json', ...headers }, body: JSON.stringify(body) });
  return { status: answer.status, json: (await answer.json()) as Record<string, unknown> };
}

const statusOf = async (id: string) => ((await (await fetch(`${system.endpoints.api}/orders/${id}`)).json()) as { status?: string }).status;
const letters = async () => (await (await fetch(system.endpoints.mailbox ?? '')).json()) as unknown[];
const versions = ({ path }: Told, event: string): (number | undefined)[] => path.filter((line) => line.event === event && line.at !== null).map(({ version }) => version);
const placeOf = ({ place }: Line): string => `${place?.topic}/${place?.partition}/${place?.offset}`;

/** Whatever has an instant stands in the order of instants, none before it was accepted; every place holds the record that it is said to hold. */
async function holds(id: string, { path, acceptedAt }: Told): Promise<void> {
  const dated = path.filter(({ at }) => at !== null);
  expect(dated.map(({ at }) => at)).toEqual(dated.map(({ at }) => at).toSorted());
  expect(path.slice(dated.length).every(({ at }) => at === null)).toBe(true);
  for (const { at, sinceAcceptedMs } of dated) expect(sinceAcceptedMs).toBe(Date.parse(String(at)) - Date.parse(acceptedAt));
  expect(Math.min(...dated.map(({ sinceAcceptedMs }) => sinceAcceptedMs ?? 0))).toBe(0);

  const placed = path.filter(({ place }) => place !== undefined);
  const seen = await readTopics(system.endpoints.kafka, [...new Set(placed.map(({ place }) => place?.topic ?? ''))]);
  for (const line of placed) {
    const record = seen.find(({ place }) => place === placeOf(line));
    expect([placeOf(line), record?.id, record?.version, record?.appendedAt]).toEqual([placeOf(line), id, line.version ?? 1, Date.parse(String(line.at))]);
  }
}

/** The processes that run here, and the start itself; a part's log is its own. */
const speakers = () => [...PROCESS_NAMES, 'start'].filter((name) => existsSync(join(system.home, 'logs', `${name}.log`)));

/** Every line of each of them. */
function lines(): Record<string, unknown>[] {
  return speakers().flatMap((name) =>
    readFileSync(join(system.home, 'logs', `${name}.log`), 'utf8').trim().split('\n').map((line) => JSON.parse(line) as Record<string, unknown>));
}

/** The processes that have said something with these very ids. */
function spoke(correlationId: string, traceId: string): string[] {
  const said = lines().filter((line) => line.correlation_id === correlationId && line.trace_id === traceId);
  return [...new Set(said.map((line) => String(line.process)))].sort();
}

const trace = () => randomBytes(16).toString('hex');
const headersOf = (correlationId: string, traceId: string) => ({ 'x-correlation-id': correlationId, traceparent: `00-${traceId}-${randomBytes(8).toString('hex')}-01` });
/** Workflow tasks go to either of the two. */
const runners = (processes: string[]): string[] => processes.map((name) => (name === 'worker' ? 'ingress' : name)).filter((name, at, all) => all.indexOf(name) === at);

test('a task that is followed: accepted, on Kafka, started, tried, stored, published, stored away, pushed; and every process says so under its ids', async () => {
  const [id, correlationId, traceId] = [randomUUID(), `corr-${randomUUID()}`, trace()];
  const follower = await plainClient(`${system.endpoints.api.replace(/^http/, 'ws')}/ws/tasks/${id}/status?lastVersion=0`);
  const task = { taskId: id, templateId: '00000000-0000-4000-8000-000000000001', modelType: 'local', priority: 'normal', userId: 'way' };
  expect((await call('POST', '/commands/create-task', task, headersOf(correlationId, traceId))).status).toBe(202);
  await until(() => follower.heard.length >= 5, 'five versions are pushed', 60_000);
  // A gateway hears of a version by its record: so all of them are published.

  const way = await told('task', id);
  expect(way).toMatchObject({ status: 'completed', done: true, correlationId, traceId, away: [] });
  expect(versions(way, 'stored')).toEqual([1, 2, 3, 4, 5]);
  expect(versions(way, 'pushed')).toEqual([1, 2, 3, 4, 5]);
  // Fact 1 is the record that came in, and is never published again.
  expect([versions(way, 'arrived'), versions(way, 'published')]).toEqual([[1], [2, 3, 4, 5]]);
  expect(way.path.map(({ event }) => event)).toEqual(expect.arrayContaining(['accepted', 'acknowledged', 'started', 'attempt', 'answered', 'ended']));
  expect(way.path.find(({ event }) => event === 'attempt')).toMatchObject({ teller: 'Temporal', text: 'generateDraft, try 1' });
  expect(way.path.filter(({ event }) => event === 'object').map(({ text }) => text)).toContainEqual(expect.stringMatching(/^s3:\/\/.* is there, \d+ bytes, as its fact says$/));
  expect(way.path.at(-1)?.text).toBe('1 follows it now');
  await holds(id, way);
  await follower.close();

  expect(runners(spoke(correlationId, traceId))).toEqual(['agent', 'api', 'gateway', 'ingress', 'relay']);
  const { out } = await cli('logs', '--story', id, '-n', '1000');
  const printed = out.trimEnd().split('\n');
  for (const name of ['api', 'agent', 'relay', 'gateway']) expect(printed.some((line) => line.includes(` ${name}: `))).toBe(true);
  const times = printed.flatMap((line) => /^\[(.*?)\]/.exec(line)?.[1] ?? []);
  expect(times).toEqual(times.toSorted());
}, 120_000);

test('an order that rode in a lane, one that waits, and one of a partner, each as it came', async () => {
  const client = await call('POST', '/v1/clients', { name: 'Ana', email: 'ana@test.com', phone: '11999999999', cpf: '12345678909' });
  const product = await call('POST', '/v1/products', { name: 'P', description: 'D', price: 1, quantity: 1_000 });
  const wish = (typePaymentId: number) => ({ clientId: String(client.json.id), items: [{ productId: String(product.json.id), quantity: 1, price: 1 }], total: 1, payments: [{ typePaymentId, amount: 1 }] });
  const [correlationId, traceId] = [`corr-${randomUUID()}`, trace()];
  const orders = await Promise.all(Array.from({ length: 20 }, () => call('POST', '/v1/orders', wish(1), headersOf(correlationId, traceId))));
  const waiting = String((await call('POST', '/v1/orders', wish(2))).json.id);
  const foreign = `P-${randomUUID()}`;
  const producer = new Kafka({ clientId: 'partner', brokers: system.endpoints.kafka.split(','), logLevel: logLevel.NOTHING }).producer();
  await producer.connect();
  const record = { orderId: foreign, clientId: '1', total: 45, status: 'PENDENTE', items: [{ productId: '1', quantity: 1, price: 45 }], itemsCount: 1, createdAt: '2024-01-15T10:30:00.000Z' };
  const [sent] = await producer.send({ topic: 'orders.created', messages: [{ key: foreign, value: JSON.stringify(record) }] });
  await producer.disconnect();

  const connection = await Connection.connect({ address: system.endpoints.temporal ?? '' });
  const aboard = new Set<string>();
  await until(async () => {
    for await (const { searchAttributes } of new Client({ connection }).workflow.list({ query: "WorkflowId STARTS_WITH 'lane/order/'" })) for (const one of searchAttributes.FazendaAboard ?? []) aboard.add(String(one));
    return orders.some(({ json }) => aboard.has(String(json.id)));
  }, 'some of them share a lane', 30_000, 200);
  await connection.close();
  await until(async () => (await letters()).length >= orders.length, 'their letters are in the mailbox', 60_000, 100);
  const laned = String(orders.find(({ json }) => aboard.has(String(json.id)))?.json.id);
  await until(async () => (await told('order', laned)).path.some(({ event, text }) => event === 'letter' && text.endsWith('sent')), 'its letter is sent', 60_000, 300);

  const way = await told('order', laned);
  expect(way).toMatchObject({ status: 'paid', done: true, correlationId, traceId, away: [] });
  expect([versions(way, 'stored'), versions(way, 'published')]).toEqual([[1, 2, 3, 4], [1, 2, 3, 4]]);
  expect(way.path.find(({ event }) => event === 'arrived')).toMatchObject({ place: { topic: 'orders.create' } });
  expect(way.path.filter(({ event }) => event === 'started').map(({ text }) => text)).toEqual([expect.stringMatching(/^it runs in a lane: lane\/order\//)]);
  expect(way.path.find(({ event }) => event === 'letter')?.text).toBe('letter of OrderPaid: sent');
  expect(way.path.at(-1)?.text).toBe('nobody follows it now, and nobody did as far as the gateways remember');
  await holds(laned, way);
  await until(() => runners(spoke(correlationId, traceId)).length >= 5, 'all have spoken', 10_000);
  expect(runners(spoke(correlationId, traceId))).toEqual(['api', 'dispatcher', 'ingress', 'notifier', 'relay']);

  await until(async () => versions(await told('order', waiting), 'published').length === 2, 'it waits', 30_000, 300);
  const open = await told('order', waiting);
  expect(open).toMatchObject({ status: 'pending', done: false });
  // It left its lane, if it was aboard one, for a workflow of its own, which is open.
  const own = /its own: order\/\S+, run (\S+)$/.exec(open.path.findLast(({ event }) => event === 'started')?.text ?? '')?.[1];
  expect([own !== undefined, open.path.some(({ event, text }) => event === 'ended' && text.includes(String(own)))]).toEqual([true, false]);

  await until(async () => (await statusOf(foreign)) === 'paid', 'the partner’s is over', 30_000, 100);
  const theirs = await told('order', foreign);
  expect(theirs.path[0]).toMatchObject({ event: 'arrived', teller: 'Kafka', place: { topic: 'orders.created', partition: sent?.partition, offset: sent?.baseOffset } });
  expect(theirs).toMatchObject({ status: 'paid', traceId: null, acceptedAt: theirs.path[0]?.at });
  expect(theirs.path.some(({ event }) => event === 'accepted')).toBe(false);
}, 150_000);

test('one that nobody knows is not found, and a cancel or a dead record of its id is named', async () => {
  const id = randomUUID();
  expect(await cli('task', id)).toMatchObject({ code: 1, err: expect.stringMatching(/^FZ_NOT_FOUND: there is no fact of a task .*, and the API has accepted none\. Check the id\.\n$/) as string });
  await call('POST', '/commands/cancel-task', { taskId: id, reason: 'early' });
  await until(async () => (await cli('task', id)).err.includes('mail for it: cancel came at'), 'the cancel is named', 30_000, 300);
}, 60_000);

test('every line of every process is JSON with its time, level, process and what it says', () => {
  const all = lines();
  for (const line of all) expect(line).toMatchObject({ time: expect.stringMatching(/^\d{4}-.*Z$/) as string, level: expect.stringMatching(/^(fatal|error|warn|info|debug)$/) as string, process: expect.any(String) as string, msg: expect.any(String) as string });
  expect(speakers()).toEqual(expect.arrayContaining(['api', 'ingress', 'worker', 'agent', 'relay', 'gateway', 'dispatcher', 'notifier', 'mailbox', 'start']));
  expect(new Set(all.map((line) => line.process))).toEqual(new Set(speakers()));
  const requests = all.filter(({ process: name, msg, level }) => name === 'api' && msg === 'request' && level === 'info');
  expect(requests).toContainEqual(expect.objectContaining({ method: 'POST', route: '/commands/create-task', status: 202, ms: expect.any(Number) as number, correlation_id: expect.any(String) as string, trace_id: expect.stringMatching(/^[0-9a-f]{32}$/) as string }));
  // Probes are asked all the time, and about nobody's work.
  expect(requests.map(({ route }) => route)).not.toContain('/readyz');
});
