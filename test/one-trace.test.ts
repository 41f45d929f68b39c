import { randomBytes, randomUUID } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client, Connection } from '@temporalio/client';
import { DefaultLogger, Runtime, Worker } from '@temporalio/worker';
import { Kafka, logLevel, type Message } from 'kafkajs';
import { WebSocket } from 'ws';
import { Endings } from '../src/temporal/endings';
import { workflowBundle } from './setup/compiled';
import { openOtlpSink, type OtlpSink, type TakenSpan } from './setup/otlp-sink';
import { openRoad, type Road } from './setup/road';
import { readTopics } from './setup/judge';
import { clusterName } from '../src/kafka/client';
import { PARTS_TIMEOUT_MS } from './setup/stack';
import { recordsOfKey, recordsOn } from './setup/topic';
import { until } from './setup/until';

/** One trace from the HTTP request to the last push: what a collector is sent by the whole of fazenda, seen from outside. */

const TEMPLATE = '00000000-0000-4000-8000-000000000001';
/** As they are on the wire. */
const [SERVER, CLIENT] = [2, 3];
const MANY = 40;
/** Times are whole milliseconds for some, and clocks of one machine step a little. */
const CLOCK_MS = 5;
const LINKS_MAX = 128;
const TOKEN = 'canary of the collector';

const logs = mkdtempSync(join(tmpdir(), 'fazenda-traces-'));
let sink: OtlpSink;
let road: Road;
beforeAll(async () => {
  // The replay says what it does; the test says what came of it.
  Runtime.install({ logger: new DefaultLogger('ERROR', () => undefined) });
  sink = await openOtlpSink();
  road = await openRoad({
    OTEL_EXPORTER_OTLP_ENDPOINT: sink.url, OTEL_EXPORTER_OTLP_HEADERS: `x-collector-token=${encodeURIComponent(TOKEN)}`, OTEL_BSP_SCHEDULE_DELAY: '100',
  }, logs);
}, PARTS_TIMEOUT_MS);
afterAll(async () => {
  await road?.stop();
  await sink?.close();
  rmSync(logs, { recursive: true, force: true });
}, 30_000);

interface Caller { readonly traceId: string; readonly spanId: string; readonly headers: { readonly traceparent: string } }

/** Somebody who calls us from within a trace of its own. */
function caller(flags = '01'): Caller {
  const [traceId, spanId] = [randomBytes(16).toString('hex'), randomBytes(8).toString('hex')];
  return { traceId, spanId, headers: { traceparent: `00-${traceId}-${spanId}-${flags}` } };
}

async function post(path: string, body: object, headers: object = {}): Promise<{ status: number; headers: Headers; json: Record<string, unknown> }> {
  const answer = await fetch(`${road.api}${path}`, { method: 'POST', headers: { 'content-type': 'application/json', ...headers }, body: JSON.stringify(body) });
  return { status: answer.status, headers: answer.headers, json: (await answer.json()) as Record<string, unknown> };
}

async function produce(topic: string, messages: Message[]): Promise<void> {
  const producer = new Kafka({ clientId: 'partner', brokers: [...road.config.KAFKA_BROKERS], logLevel: logLevel.NOTHING }).producer();
  await producer.connect();
  await producer.send({ topic: clusterName(road.config, topic), messages });
  await producer.disconnect();
}

function traceOf(traceId: string): TakenSpan[] {
  return sink.spans.filter((span) => span.traceId === traceId).toSorted((a, b) => a.startMs - b.startMs);
}

/** The spans of a trace once these are among them, and nothing more came for a moment. */
async function traceWith(traceId: string, names: readonly string[]): Promise<TakenSpan[]> {
  const missing = () => names.filter((name) => !traceOf(traceId).some((span) => span.name === name));
  await until(() => missing().length === 0, `the collector has ${names.join(', ')}`, 20_000).catch((thrown: unknown) => {
    throw new Error(`no ${missing().join(', ')} among ${traceOf(traceId).map(({ service, name }) => `${service}:${name}`).join(', ')}`, { cause: thrown });
  });
  return traceOf(traceId);
}

function orphans(spans: readonly TakenSpan[], root: string): string[] {
  const known = new Set([root, ...spans.map(({ spanId }) => spanId)]);
  return spans.filter(({ parentId }) => !known.has(parentId)).map(({ service, name, parentId }) => `${service} ${name} below ${parentId}`);
}

function servicesOf(spans: readonly TakenSpan[], name: string): string[] {
  return [...new Set(spans.filter((span) => span.name === name).map(({ service }) => service))].toSorted();
}

test('a task: one trace from the request to the push of its last fact', async () => {
  const { traceId, spanId, headers } = caller();
  const taskId = randomUUID();
  const heard: { version: number }[] = [];
  const socket = new WebSocket(`${road.api.replace('http', 'ws')}/ws/tasks/${taskId}/status?lastVersion=0`);
  socket.on('message', (bytes: Buffer) => heard.push(JSON.parse(bytes.toString()) as { version: number }));
  await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject));

  const answer = await post('/commands/create-task', { taskId, templateId: TEMPLATE, modelType: 'local', priority: 'normal', userId: 'tracer' }, headers);
  expect([answer.status, answer.headers.get('traceresponse')?.slice(3, 35)]).toEqual([202, traceId]);
  const spans = await traceWith(traceId, ['POST /commands/create-task', 'send content.stored', 'push ContentStored', 'story content']);
  socket.close();

  expect(orphans(spans, spanId)).toEqual([]);
  const [root] = spans.filter(({ kind }) => kind === SERVER);
  expect(root).toMatchObject({ service: 'fazenda-api', parentId: spanId, attributes: { 'http.route': '/commands/create-task', 'http.response.status_code': 202 } });
  expect(servicesOf(spans, 'send task.created')).toEqual(['fazenda-api']);
  expect(servicesOf(spans, 'process task.created')).toEqual(['fazenda-ingress']);
  expect(servicesOf(spans, 'RunActivity:generateDraft')).toEqual(['fazenda-agent']);
  expect(servicesOf(spans, 'model local')).toEqual(['fazenda-agent']);
  for (const fact of ['TaskAssigned', 'ContentGenerated', 'ContentValidated', 'ContentStored']) {
    expect([fact, servicesOf(spans, `record ${fact}`)]).toEqual([fact, [expect.stringMatching(/^fazenda-(ingress|worker)$/)]]);
    expect([fact, servicesOf(spans, `push ${fact}`)]).toEqual([fact, ['fazenda-gateway']]);
  }
  for (const topic of ['task.assigned', 'content.generated', 'content.validated', 'content.stored']) expect(servicesOf(spans, `send ${topic}`)).toEqual(['fazenda-relay']);
  expect(heard.map(({ version }) => version)).toEqual([1, 2, 3, 4, 5]);

  // The record lies where its span says.
  const records = (await readTopics(road.config.KAFKA_BROKERS.join(','), ['task.created', 'content.stored'].map((topic) => clusterName(road.config, topic)))).filter(({ id }) => id === taskId);
  expect(spans.find(({ name }) => name === 'process task.created')?.attributes).toMatchObject({
    'messaging.system': 'kafka', 'messaging.consumer.group.name': 'task-assignment-group', 'messaging.kafka.message.key': taskId, 'fazenda.fate': 'started',
    'messaging.message.id': records.find(({ type }) => type === 'TaskCreated')?.ceId, 'messaging.kafka.offset': expect.any(Number), 'messaging.destination.partition.id': expect.any(String),
  });

  // From the request to `completed`: the trace, the topics, the view and analytics tell the same time.
  const stored = (await recordsOfKey(road.config, 'content.stored', taskId))[0]!;
  const view = (await (await fetch(`${road.api}/tasks/${taskId}`)).json()) as { completedAt: string };
  const completedAt = Date.parse(view.completedAt);
  expect(Date.parse(stored.headers.ce_time ?? '')).toBe(completedAt);
  const asked = `SELECT toUnixTimestamp64Milli(time) AS ms FROM events FINAL WHERE aggregate_id = '${taskId}' AND type = 'ContentStored'`;
  let rows: readonly Readonly<Record<string, unknown>>[] = [];
  await until(async () => (rows = await road.select(asked).catch(() => [])).length > 0, 'analytics has it', 20_000);
  expect(rows.map(({ ms }) => Number(ms))).toEqual([completedAt]);

  // The fact's time is that of the story; it is stored, sent, and appended by the broker a moment later, in this order.
  const [accepted, recordedAt, sent] = [root!.startMs, spans.find(({ name }) => name === 'story content')!.endMs, spans.find(({ name }) => name === 'send content.stored')!];
  const appendedAt = records.find(({ type }) => type === 'ContentStored')!.appendedAt;
  const inOrder = [accepted, completedAt, recordedAt, sent.startMs, appendedAt, sent.endMs];
  for (const [at, ms] of inOrder.slice(1).entries()) expect(ms - (inOrder[at] ?? 0)).toBeGreaterThanOrEqual(-CLOCK_MS);
  expect(sent.endMs - completedAt).toBeLessThan(5_000);

  // The story itself knows nothing of it: its history is one that a worker without traces would write and replay.
  const connection = await Connection.connect({ address: road.config.TEMPORAL_ADDRESS });
  const handle = new Client({ connection, namespace: road.config.TEMPORAL_NAMESPACE }).workflow.getHandle(`content/${taskId}`);
  await handle.result();
  const history = await handle.fetchHistory();
  await connection.close();
  expect(JSON.stringify(history)).not.toMatch(/_tracer-data|traceparent/);
  await Worker.runReplayHistory({ workflowBundle: { codePath: await workflowBundle() }, sinks: new Endings().sinks }, history, `content/${taskId}`);
}, 90_000);

test('an order: down to the letter about it', async () => {
  const { json: client } = await post('/v1/clients', { name: 'Ana', email: 'ana@example.com', phone: '11999999999', cpf: '529.982.247-25' });
  const { json: product } = await post('/v1/products', { name: 'Hoe', description: '', price: 10, quantity: 5 });
  const { traceId, spanId, headers } = caller();
  const order = { clientId: client.id, items: [{ productId: product.id, quantity: 1, price: 10 }], total: 10, payments: [{ typePaymentId: 1, amount: 10 }] };
  expect((await post('/v1/orders', order, headers)).status).toBe(201);

  const spans = await traceWith(traceId, ['send orders.paid', 'story order', 'process notifications', 'smtp send']);
  expect(orphans(spans, spanId)).toEqual([]);
  expect(servicesOf(spans, 'POST /v1/orders')).toEqual(['fazenda-api']);
  expect(servicesOf(spans, 'process orders.create')).toEqual(['fazenda-ingress']);
  expect(servicesOf(spans, 'process orders.paid')).toEqual(['fazenda-dispatcher']);
  expect(servicesOf(spans, 'process notifications')).toEqual(['fazenda-notifier']);
  expect(spans.filter(({ name }) => name === 'payment capture').map(({ kind }) => kind)).toEqual([CLIENT]);
  for (const topic of ['orders.created', 'inventory.reserved', 'payments.captured', 'orders.paid']) expect([topic, servicesOf(spans, `send ${topic}`)]).toEqual([topic, ['fazenda-relay']]);
});

test('an order among many: its own trace, and links to and from what was done for all of them at once', async () => {
  await road.db.query("INSERT INTO products (id, sku, name, description, price_cents, quantity) VALUES ('P-1', 'SKU-1', 'Product', '', 1000, 1000000)");
  const [one, mute] = [caller(), caller('00')];
  const orders = Array.from({ length: MANY }, () => ({ id: randomUUID(), caller: caller() }));
  const silent = randomUUID();
  const unsampled = randomUUID();
  const chosen = { id: randomUUID(), caller: one };
  const begins = [...orders, chosen, { id: unsampled, caller: mute }, { id: silent, caller: undefined }];
  await produce('orders.create', begins.map(({ id, caller }) => ({
    key: 'one-partition', headers: { ...caller?.headers },
    value: JSON.stringify({ orderId: id, clientId: 'nobody', items: [{ productId: 'P-1', quantity: 1, price: 10 }], total: 10, payments: [{ typePaymentId: 1, amount: 10 }] }),
  })));
  await until(async () => {
    const { rows } = await road.db.query<{ left: number }>(
      "SELECT count(*)::int AS left FROM unnest($1::text[]) AS w(id) WHERE NOT EXISTS (SELECT 1 FROM facts f WHERE f.aggregate_id = w.id AND f.type IN ('OrderPaid', 'OrderFailed') AND f.published_at IS NOT NULL)",
      [begins.map(({ id }) => id)]);
    return rows[0]?.left === 0;
  }, 'all are over', 30_000);
  const spans = await traceWith(one.traceId, ['process orders.create', 'send orders.created', 'story order']);
  expect(orphans(spans, one.spanId)).toEqual([]);

  // Each of them has a story of its own, told once, whoever did it with whom.
  await until(() => orders.every(({ caller }) => traceOf(caller.traceId).some(({ name }) => name === 'story order')), 'every story is told', 20_000);
  for (const { caller } of orders) expect([caller.traceId, traceOf(caller.traceId).filter(({ name }) => name === 'story order').length]).toEqual([caller.traceId, 1]);

  // What was done for many at once is a trace of its own.
  const batches = sink.spans.filter(({ name }) => / batch$/.test(name));
  for (const name of ['process orders.create batch', 'send batch', 'RunActivity:reserveStock batch', 'RunActivity:recordFacts batch']) expect([name, batches.some((batch) => batch.name === name)]).toEqual([name, true]);
  const known = new Map(sink.spans.map((span) => [span.spanId, span]));
  for (const batch of batches) {
    expect([batch.name, batch.parentId, batch.links.length > 1, batch.links.length <= LINKS_MAX]).toEqual([batch.name, '', true, true]);
    for (const link of batch.links) expect(known.get(link.spanId)).toMatchObject({ traceId: link.traceId, links: [{ spanId: batch.spanId }] });
  }
  expect(spans.find(({ name }) => name === 'process orders.create')?.links).toHaveLength(1);

  // Whoever chose not to record a trace is obeyed by everybody; who brought none gets one, which its facts carry.
  expect(traceOf(mute.traceId)).toEqual([]);
  const facts = (await recordsOn(road.config, 'orders.paid')).filter(({ headers }) => headers.ce_subject === unsampled || headers.ce_subject === silent);
  const traceparentOf = (id: string) => facts.find(({ headers }) => headers.ce_subject === id)?.headers.traceparent ?? '';
  expect(traceparentOf(unsampled)).toBe(mute.headers.traceparent);
  const given = traceOf(traceparentOf(silent).slice(3, 35));
  expect(given.filter(({ parentId }) => parentId === '').map(({ name }) => name)).toEqual(['process orders.create']);
  expect(orphans(given, '')).toEqual([]);
}, 90_000);

test('an answer names its trace, a refusal too; and so does what is logged of it', async () => {
  const { traceId, headers } = caller();
  const answer = await fetch(`${road.api}/tasks/${randomUUID()}`, { headers });
  expect(await answer.json()).toMatchObject({ status: 404, code: 'FZ_NOT_FOUND', traceId });
  const [, answered] = /^00-([0-9a-f]{32})-[0-9a-f]{16}-01$/.exec(answer.headers.get('traceresponse') ?? '') ?? [];
  expect(answered).toBe(traceId);
  expect(await traceWith(traceId, ['GET /tasks/:id'])).toMatchObject([{ service: 'fazenda-api', status: 0, attributes: { 'http.response.status_code': 404 } }]);
  // Probes are asked by machines, all the time.
  expect(sink.spans.filter(({ attributes }) => attributes['url.path'] === '/readyz')).toEqual([]);
  await until(() => logged('api').some((line) => line.trace_id === traceId), 'the request is logged with its trace');
});

test('the collector is told who asks, and nothing else that is secret', () => {
  expect(sink.headers['x-collector-token']).toBe(TOKEN);
  const told = JSON.stringify(sink.spans);
  for (const secret of [TOKEN, 'ana@example.com', '529.982', 'Write a']) expect(told.includes(secret)).toBe(false);
});

function logged(name: string): Record<string, unknown>[] {
  return readFileSync(join(logs, `${name}.log`), 'utf8').split('\n').filter(Boolean).map((line) => JSON.parse(line) as Record<string, unknown>);
}
