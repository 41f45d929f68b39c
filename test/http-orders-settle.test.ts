import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { openApi, type Answer, type TestApi } from './setup/api';
import { openBench, type Bench } from './setup/bench';
import { fakeProducer, type FakeProducer } from './setup/fake-producer';
import { createdOrder, shelf, stockUp, tellCreated, type OrderWish } from './setup/orders';
import { PARTS_TIMEOUT_MS } from './setup/stack';
import { until } from './setup/until';
import { factsFrom } from '../src/facts/read';

/** PATCH answers with the truth: on a real Temporal and PostgreSQL, with orders whose facts are there. */

const WAITS = { typePaymentId: 2 };
/** Captures of these orders do not answer until they are let go. */
const held = new Map<string, Promise<void>>();

let bench: Bench;
let workers: { stop(): Promise<void> };
let api: TestApi;
let deaf: TestApi;
let unworked: TestApi;
let kafka: FakeProducer;
beforeAll(async () => {
  bench = await openBench();
  await stockUp(bench.db, { p1: 1_000, few: 1 });
  workers = await bench.startWorkers(async (name, args, run) => {
    if (name !== 'capturePayments' && name !== 'capturePayment') return run();
    const [given] = args as [{ id: string } | { id: string }[]];
    await Promise.all([given].flat().map(({ id }) => held.get(id)));
    return run();
  });
  kafka = fakeProducer();
  const checks = { kafka: async () => undefined, temporal: async () => undefined, postgres: async () => undefined };
  const open = (more: object = {}) => openApi({ producer: kafka, checks, env: { ...bench.env, ...more } });
  api = await open();
  deaf = await open({ TEMPORAL_ADDRESS: '127.0.0.1:1' });
  unworked = await open({ TEMPORAL_TASK_QUEUE: randomUUID() });
}, PARTS_TIMEOUT_MS);
afterAll(async () => {
  await Promise.all([api.close(), deaf.close(), unworked.close()]);
  await workers.stop();
  await bench.close();
});

async function begun(wish: OrderWish): Promise<string> {
  const first = createdOrder(wish);
  await tellCreated(bench.db, [first]);
  return first.data.orderId;
}
const settle = (id: string, status: string, by = api) => by.call('PATCH', `/v1/orders/${id}`, { status });
const said = ({ status, json }: Answer) => [status, json.status === status ? json.code : json.status];
const story = async (id: string) => (await factsFrom(bench.db, 'order', id)).map(({ type }) => type);

function hold(id: string): () => void {
  let letGo: () => void = () => undefined;
  held.set(id, new Promise((resolve) => (letGo = resolve)));
  return letGo;
}

describe('an order that waits', () => {
  test('is paid, and the answer is the order as GET shows it; the same again is the same answer', async () => {
    const id = await begun(WAITS);
    const paid = await settle(id, 'PAGO');
    expect(said(paid)).toEqual([200, 'PAGO']);
    expect(paid.headers.get('etag')).toBe('"4"');
    expect((await api.call('GET', `/v1/orders/${id}`)).json).toEqual(paid.json);
    expect(await story(id)).toEqual(['OrderCreated', 'InventoryReserved', 'PaymentCaptured', 'OrderPaid']);
    expect(await settle(id, 'PAGO')).toMatchObject({ status: 200, json: paid.json });
  });

  test.each([['CANCELADO', 'cancelled'], ['FALHA', 'refused']])('becomes %s, gives its stock back, and cannot be paid any more', async (status, reason) => {
    const id = await begun(WAITS);
    const before = await shelf(bench.db, 'p1');
    expect(await settle(id, status)).toMatchObject({ status: 200, json: { status, reason } });
    expect(await shelf(bench.db, 'p1')).toEqual(before);
    const late = await settle(id, 'PAGO');
    expect(late).toMatchObject({ status: 409, json: { code: 'FZ_CONFLICT', detail: `${id} is ${status}, for good` } });
  });

  test('of two that settle it at once, the answers agree', async () => {
    const id = await begun(WAITS);
    const answers = await Promise.all([settle(id, 'PAGO'), settle(id, 'CANCELADO')]);
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 409]);
    expect(answers.find(({ status }) => status === 200)?.json.status).toBe((await api.call('GET', `/v1/orders/${id}`)).json.status);
  });
});

describe('an order that is captured at once', () => {
  test('may be asked to be paid, and is, as soon as the provider answers', async () => {
    const id = await begun({});
    const letGo = hold(id);
    const asked = settle(id, 'PAGO');
    await sleep(500);
    letGo();
    expect(said(await asked)).toEqual([200, 'PAGO']);
  });

  test('can be cancelled until then, and a capture that comes later captures nothing', async () => {
    const id = await begun({});
    const letGo = hold(id);
    const asked = settle(id, 'PAGO');
    await until(async () => (await story(id)).includes('InventoryReserved'), 'it is about to be captured');
    expect(said(await settle(id, 'CANCELADO'))).toEqual([200, 'CANCELADO']);
    letGo();
    expect(said(await asked)).toEqual([409, 'FZ_CONFLICT']);
    const { rows } = await bench.db.query('SELECT captured FROM simulated_payments WHERE key LIKE $1', [`%${id}%`]);
    expect(rows).toEqual([{ captured: false }]);
    expect((await story(id)).at(-1)).toBe('OrderFailed');
  });

  test('that the provider declines, or for which there is no stock, is FALHA', async () => {
    const declined = await begun({ totalCents: 1_013 });
    const lacking = await begun({ items: { few: 2 } });
    for (const id of [declined, lacking]) {
      expect(await settle(id, 'PAGO')).toMatchObject({ status: 409, json: { detail: `${id} is FALHA, for good` } });
      expect(said(await settle(id, 'FALHA'))).toEqual([200, 'FALHA']);
    }
  });
});

describe('who asks in vain', () => {
  test('is told that there is no such order: none at all, or none that Kafka has', async () => {
    expect(said(await settle(randomUUID(), 'PAGO'))).toEqual([404, 'FZ_NOT_FOUND']);
    expect(said(await settle('%00', 'PAGO'))).toEqual([404, 'FZ_NOT_FOUND']);
    const id = randomUUID();
    kafka.mood = 'refuses';
    const S1 = { customerId: randomUUID(), items: [{ sku: 'a', quantity: 1 }], totalAmount: 1 };
    expect((await api.call('POST', '/orders', S1, { 'x-correlation-id': id })).status).toBe(503);
    expect(said(await settle(id, 'PAGO'))).toEqual([404, 'FZ_NOT_FOUND']);

    // The try that follows, with the same key, is the first one still, and has one id throughout.
    kafka.mood = 'away';
    const key = { 'idempotency-key': randomUUID() };
    expect((await api.call('POST', '/orders', S1, key)).status).toBe(503);
    kafka.mood = 'takes';
    const { json, headers } = await api.call('POST', '/orders', S1, key);
    expect([json.correlationId, headers.get('x-correlation-id')]).toEqual([json.orderId, json.orderId]);
  });

  test.each<[number, string, unknown]>([
    [422, 'FZ_SCHEMA_INVALID', { status: 'paid' }], [422, 'FZ_SCHEMA_INVALID', {}], [400, 'FZ_BODY_NOT_JSON', '{'],
  ])('%d %s for %j', async (status, code, body) => expect(said(await api.call('PATCH', '/v1/orders/1', body))).toEqual([status, code]));

  test('the path says what it takes', async () => {
    expect((await api.call('OPTIONS', '/v1/orders/1')).headers.get('allow')).toBe('OPTIONS, GET, HEAD, PATCH');
    expect((await api.call('PUT', '/v1/orders/1', {})).status).toBe(405);
  });
});

test('while Temporal is away, what is decided is answered, and what is not is 503', async () => {
  const [decided, open] = [await begun(WAITS), await begun(WAITS)];
  await settle(decided, 'PAGO');
  expect(said(await settle(decided, 'PAGO', deaf))).toEqual([200, 'PAGO']);
  expect(said(await settle(decided, 'FALHA', deaf))).toEqual([409, 'FZ_CONFLICT']);
  const asked = await settle(open, 'PAGO', deaf);
  expect([...said(asked), asked.headers.get('retry-after')]).toEqual([503, 'FZ_TEMPORAL_AWAY', '2']);
});

describe('whose outcome takes its time', () => {
  const place = async () => {
    const { json } = await api.call('POST', '/orders', { customerId: randomUUID(), items: [{ sku: 'a', quantity: 1 }], totalAmount: 1 });
    return String(json.orderId);
  };

  // Side by side, as each of them is a wait.
  test('is waited for, and where it does not come in time the answer says so', async () => {
    const stays = await begun({});
    const letGo = hold(stays);
    const [unpaid, undecided, unbegun, late] = await Promise.all([
      settle(stays, 'PAGO'),
      begun(WAITS).then((id) => settle(id, 'PAGO', unworked)),
      place().then((id) => settle(id, 'CANCELADO')),
      place().then(async (id) => {
        const asked = settle(id, 'CANCELADO');
        await sleep(500);
        await begun({ id, ...WAITS });
        return asked;
      }),
    ]);
    expect(unpaid).toMatchObject({ status: 409, json: { code: 'FZ_CONFLICT', detail: `${stays} is PENDENTE and takes no notice of this` } });
    for (const answer of [undecided, unbegun]) expect([...said(answer), answer.headers.get('retry-after')]).toEqual([503, 'FZ_OUTCOME_OPEN', '2']);
    expect(said(late)).toEqual([200, 'CANCELADO']);
    letGo();
    expect(said(await settle(stays, 'PAGO'))).toEqual([200, 'PAGO']);
  }, 60_000);
});
