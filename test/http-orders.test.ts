import { randomUUID } from 'node:crypto';
import { tellFacts } from '../src/facts/tell';
import { order } from '../workflows/order/definition';
import type { Fact } from '../workflows/kernel/fact';
import { fold } from '../workflows/kernel/lifecycle';
import type { OrderFact } from '../workflows/order/lifecycle';
import { openApi, type Answer, type TestApi } from './setup/api';
import { createdOrder, tellCreated } from './setup/orders';
import { PARTS_TIMEOUT_MS } from './setup/stack';
import { recordsOfKey } from './setup/topic';

/** Orders over HTTP, by both contracts; no story runs, so what is accepted stays as it was accepted. */

let api: TestApi;
beforeAll(async () => (api = await openApi()), PARTS_TIMEOUT_MS);
afterAll(() => api.close());

const CUSTOMER = '06f3bbf9-24ad-4d18-9d0d-7fad5b5f5cbf';
const S1 = { customerId: CUSTOMER, items: [{ sku: 'SKU-1', quantity: 2 }], totalAmount: 150 };
const request = (body: object = S1, headers: Record<string, string> = {}) => api.call('POST', '/orders', body, headers);
const paths = ({ json }: Answer) => (json.errors as { path: string }[] | undefined)?.map(({ path }) => path);
const codeOf = ({ status, json }: Answer) => [status, json.code];

describe('POST /orders', () => {
  test('answers with the event that Kafka has: plain JSON, its key the correlation id', async () => {
    const { status, headers, json } = await request();
    const { correlationId, orderId, event, links } = json as Record<string, string>;
    expect(status).toBe(202);
    expect(event).toEqual({ correlationId: orderId, ...S1, createdAt: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/) });
    expect(correlationId).toBe(orderId);
    expect(headers.get('x-correlation-id')).toBe(orderId);
    expect(links).toEqual({ self: `/orders/${orderId}`, live: `/ws/orders/${orderId}/status` });
    const [record, ...more] = await recordsOfKey(api.config, 'order_created', String(orderId));
    expect(more).toEqual([]);
    expect(record?.value).toBe(JSON.stringify(event));
    expect(record?.headers).toMatchObject({ ce_source: '/fazenda/order', ce_type: 'CreateOrder', ce_subject: orderId, correlation_id: orderId });
    expect(record?.headers).not.toHaveProperty('ce_sequence');
  });

  test("the caller's correlation id is the order's id where it is a UUID; else it is a trace id only", async () => {
    const given = randomUUID();
    expect((await request(S1, { 'x-correlation-id': given.toUpperCase() })).json).toMatchObject({ orderId: given, event: { correlationId: given } });

    const traced = await request(S1, { 'x-correlation-id': 'my-trace' });
    expect(traced.json).toMatchObject({ correlationId: 'my-trace', orderId: expect.stringMatching(/^[0-9a-f-]{36}$/) });
    expect((traced.json.event as { correlationId: string }).correlationId).toBe(traced.json.orderId);
    const [record] = await recordsOfKey(api.config, 'order_created', String(traced.json.orderId));
    expect(record?.headers.correlation_id).toBe('my-trace');
  });

  test('the same correlation id with the same body is the same order; with another body, a conflict', async () => {
    const headers = { 'x-correlation-id': randomUUID() };
    const first = await request(S1, headers);
    const again = await request(S1, headers);
    expect([again.status, again.text]).toEqual([202, first.text]);
    expect(codeOf(await request({ ...S1, totalAmount: 151 }, headers))).toEqual([409, 'FZ_CONFLICT']);
    expect(await recordsOfKey(api.config, 'order_created', headers['x-correlation-id'])).toHaveLength(1);
  });

  test('the order may have come by Kafka before: the same is no second one, another is a conflict', async () => {
    const orderId = randomUUID();
    const [door] = order.doors;
    const event = { correlationId: orderId, ...S1, createdAt: '2026-01-01T00:00:00.000Z' };
    const { context, ...first } = door!.first({ message: event as never, headers: {}, sentAt: '' });
    const fact: Fact = { type: first.type, version: 1, at: first.at, data: first.data, ...(context && { context }) };
    // A partner's trace of it may be anything.
    await tellFacts(api.db, order, [{ id: orderId, fact, after: fold(order.lifecycle, [fact as OrderFact]), correlationId: randomUUID() }]);
    const headers = { 'x-correlation-id': orderId };
    expect(await request(S1, headers)).toMatchObject({ status: 202, json: { orderId, event } });
    expect(codeOf(await request({ ...S1, items: [{ sku: 'SKU-1', quantity: 3 }] }, headers))).toEqual([409, 'FZ_CONFLICT']);
    expect(await recordsOfKey(api.config, 'order_created', orderId)).toEqual([]);
  });

  test('an Idempotency-Key makes one order of many requests', async () => {
    const headers = { 'idempotency-key': randomUUID() };
    const [one, other] = await Promise.all([request(S1, headers), request(S1, headers)]);
    expect([one.status, one.text]).toEqual([202, other.text]);
    expect(codeOf(await request({ ...S1, totalAmount: 1 }, headers))).toEqual([422, 'FZ_IDEMPOTENCY_MISMATCH']);
  });

  test.each<[string, object]>([
    ['customerId', { customerId: 'me' }], ['items', { items: [] }], ['items.0.sku', { items: [{ quantity: 1 }] }],
    ['items.0.quantity', { items: [{ sku: 'a', quantity: -1 }] }], ['totalAmount', { totalAmount: 0.001 }],
  ])('422 names %s', async (path, wrong) => {
    const answer = await request({ ...S1, ...wrong });
    expect([answer.status, paths(answer)]).toEqual([422, [path]]);
  });

  test('right after it, both readers see the order, each in its own words', async () => {
    const { json } = await request({ ...S1, totalAmount: 150.1 });
    const { orderId: id, event } = json as { orderId: string; event: { createdAt: string } };
    const shared = {
      id, orderId: id, clientId: CUSTOMER, clientName: null, total: 150.1, itemsCount: 1, payments: [], paymentId: null, reason: null, version: 1,
      createdAt: event.createdAt, updatedAt: event.createdAt,
    };
    const english = await api.call('GET', `/orders/${id}`);
    expect(english.json).toEqual({
      ...shared, status: 'pending', customerId: CUSTOMER, totalAmount: 150.1, items: [{ sku: 'SKU-1', productId: 'SKU-1', quantity: 2, price: null }],
    });
    expect(english.headers.get('etag')).toBe('"1"');
    expect((await api.call('GET', `/v1/orders/${id}`)).json).toEqual({
      ...shared, status: 'PENDENTE', items: [{ productId: 'SKU-1', quantity: 2, price: null }],
    });
  });
});

describe('the shop', () => {
  let client: string;
  let product: string;
  beforeAll(async () => {
    client = String((await api.call('POST', '/v1/clients', { name: 'João', email: 'joao@test.com', phone: '11999999999', cpf: '123.456.789-09' })).json.id);
    product = String((await api.call('POST', '/v1/products', { name: 'Produto', description: 'Desc', price: 0.1, quantity: 10, sku: 'P-1' })).json.id);
  });
  const s3 = (more: object = {}) => ({ clientId: client, items: [{ productId: product, quantity: 3, price: 0.1 }], total: 0.3, payments: [{ typePaymentId: 1, amount: 0.3 }], ...more });
  const place = (more: object = {}, headers: Record<string, string> = {}) => api.call('POST', '/v1/orders', s3(more), headers);

  test('a client and a product are as they were sent, and can be read again', async () => {
    expect((await api.call('GET', `/v1/clients/${client}`)).json).toEqual({
      id: client, name: 'João', email: 'joao@test.com', phone: '11999999999', cpf: '12345678909', createdAt: expect.any(String),
    });
    expect((await api.call('GET', `/v1/products/${product}`)).json).toEqual({
      id: product, sku: 'P-1', name: 'Produto', description: 'Desc', price: 0.1, quantity: 10, reserved: 0, sold: 0, createdAt: expect.any(String),
    });
    expect((await api.call('GET', '/v1/products?limit=1')).json).toMatchObject({ items: [{ id: product }], nextCursor: null });
    expect(codeOf(await api.call('GET', '/v1/products/7'))).toEqual([404, 'FZ_NOT_FOUND']);
  });

  test.each<[string, string]>([
    ['too short', '1234567890'], ['a check digit that does not fit', '12345678901'], ['the first of them', '12345678917'], ['eleven equal digits', '11111111111'], ['letters', '1234567890a'],
  ])('a CPF is refused for %s', async (_what, cpf) => {
    const answer = await api.call('POST', '/v1/clients', { name: 'a', email: 'a@b.co', phone: '1', cpf });
    expect([answer.status, paths(answer)]).toEqual([422, ['cpf']]);
  });

  test.each<[string, object]>([
    ['email', { email: 'a@b.co\r\nBcc: all@b.co' }], ['email', { email: `${'a'.repeat(250)}@b.co` }], ['name', { name: 'a\nb' }], ['phone', { phone: '' }],
  ])('a client is refused for its %s: %j', async (path, wrong) => {
    const answer = await api.call('POST', '/v1/clients', { name: 'a', email: 'a@b.co', phone: '1', cpf: '52998224725', ...wrong });
    expect([answer.status, [...new Set(paths(answer))]]).toEqual([422, [path]]);
  });

  test.each<[string, object]>([['price', { price: 1.999 }], ['quantity', { quantity: -1 }], ['quantity', { quantity: 0.5 }], ['sku', { sku: '' }]])(
    'a product is refused for its %s: %j', async (path, wrong) => {
      const answer = await api.call('POST', '/v1/products', { name: 'a', description: '', price: 1, quantity: 1, ...wrong });
      expect([answer.status, paths(answer)]).toEqual([422, [path]]);
    });

  test('the same CPF again is a conflict, however it is written; so is the same sku', async () => {
    expect(codeOf(await api.call('POST', '/v1/clients', { name: 'b', email: 'b@b.co', phone: '2', cpf: '12345678909' }))).toEqual([409, 'FZ_CONFLICT']);
    expect(codeOf(await api.call('POST', '/v1/products', { name: 'b', description: '', price: 1, quantity: 1, sku: 'P-1' }))).toEqual([409, 'FZ_CONFLICT']);
  });

  test('an order is answered as its readers will see it, and Kafka has the body with its id', async () => {
    const { status, json } = await place();
    const id = String(json.id);
    expect(status).toBe(201);
    expect(json).toEqual({
      id, orderId: id, clientId: client, clientName: null, status: 'PENDENTE', total: 0.3, items: s3().items, itemsCount: 1, payments: s3().payments,
      paymentId: null, reason: null, version: 1, createdAt: expect.any(String), updatedAt: json.createdAt,
    });
    expect((await api.call('GET', `/v1/orders/${id}`)).json).toEqual(json);
    expect((await api.call('GET', `/orders/${id}`)).json).toMatchObject({ id, status: 'pending', customerId: client, totalAmount: 0.3 });
    const [record] = await recordsOfKey(api.config, 'orders.create', id);
    expect(JSON.parse(record?.value ?? '')).toEqual({ orderId: id, ...s3() });
  });

  test.each<[string, () => object]>([
    ['total', () => ({ total: 0.31, payments: [] })], ['payments', () => ({ payments: [{ typePaymentId: 1, amount: 0.29 }] })],
    ['total', () => ({ total: 0.305 })], ['items', () => ({ items: [] })],
  ])('an order is refused for its %s', async (path, wrong) => {
    const answer = await place(wrong());
    expect([answer.status, paths(answer)]).toEqual([422, [path]]);
  });

  test('a client or a product that is not there is named; a sku is no product id here', async () => {
    const answer = await place({ clientId: 'nobody', items: [...s3().items, { productId: 'P-1', quantity: 1, price: 0 }, { productId: 'x', quantity: 1, price: 0 }] });
    expect(codeOf(answer)).toEqual([422, 'FZ_REFERENCE_UNKNOWN']);
    expect(paths(answer)).toEqual(['clientId', 'items.1.productId', 'items.2.productId']);
  });

  test('the same request twice is two orders, and with an Idempotency-Key one', async () => {
    expect((await place()).json.id).not.toBe((await place()).json.id);
    const headers = { 'idempotency-key': randomUUID() };
    expect((await place({}, headers)).json.id).toBe((await place({}, headers)).json.id);
  });
});

describe('lists', () => {
  test('are filtered by the words of their contract', async () => {
    const open = createdOrder({ id: `open-${randomUUID()}`, clientId: 'lister' });
    const paid = createdOrder({ id: `paid-${randomUUID()}`, clientId: 'lister' });
    await tellCreated(api.db, [open, paid]);
    const { orderId, clientId, total } = paid.data;
    const data = { orderId, clientId, clientName: null, status: 'PAGO' as const, total, updatedAt: paid.at };
    const closing: OrderFact = { type: 'OrderPaid', version: 2, at: paid.at, data };
    await tellFacts(api.db, order, [{ id: orderId, fact: closing, after: fold(order.lifecycle, [paid, closing]) }]);

    const listed = async (path: string) => ((await api.call('GET', path)).json.items as { id: string; status: string }[]).map(({ id, status }) => [id, status]);
    expect(await listed('/orders?status=paid')).toEqual([[orderId, 'paid']]);
    expect(await listed('/v1/orders?status=PAGO')).toEqual([[orderId, 'PAGO']]);
    const pending = await listed('/v1/orders?status=PENDENTE');
    expect(pending).toContainEqual([open.data.orderId, 'PENDENTE']);
    expect(pending).not.toContainEqual(expect.arrayContaining([orderId]));
    expect(codeOf(await api.call('GET', '/orders?status=PAGO'))).toEqual([422, 'FZ_QUERY_INVALID']);
    expect(codeOf(await api.call('GET', '/v1/orders?status=paid'))).toEqual([422, 'FZ_QUERY_INVALID']);
  });
});
