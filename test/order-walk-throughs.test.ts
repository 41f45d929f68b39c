import { randomUUID } from 'node:crypto';
import { Client, Connection } from '@temporalio/client';
import { Kafka, logLevel } from 'kafkajs';
import { readConfig, type Config } from '../src/config';
import { startSystem, SYSTEM_TIMEOUT_MS, type System } from './setup/system';
import { recordsOfKey } from './setup/topic';
import { until } from './setup/until';

/** The walk-throughs of two requirement documents, from outside, on the whole system as `npm start` runs it. */

let system: System;
let kafka: Config;
beforeAll(async () => {
  system = await startSystem();
  kafka = readConfig({ KAFKA_BROKERS: system.endpoints.kafka, LOG_LEVEL: 'silent' });
}, SYSTEM_TIMEOUT_MS);
afterAll(async () => {
  const code = await system.stop();
  system.forget();
  expect(code).toBe(0);
}, 30_000);

async function call(method: string, path: string, body?: object, headers: Record<string, string> = {}): Promise<{ status: number; json: Record<string, unknown> }> {
  const answer = await fetch(`${system.endpoints.api}${path}`, {
    method, headers: { 'content-type': 'application/json', ...headers }, ...(body && { body: JSON.stringify(body) }),
  });
  return { status: answer.status, json: (await answer.json()) as Record<string, unknown> };
}

/** The values of an order's records on a topic, once there are any. */
async function said(topic: string, id: string): Promise<Record<string, unknown>[]> {
  let records: Awaited<ReturnType<typeof recordsOfKey>> = [];
  await until(async () => (records = await recordsOfKey(kafka, topic, id)).length > 0, `${topic} tells of it`, 30_000, 200);
  return records.map(({ value }) => JSON.parse(value) as Record<string, unknown>);
}

const ended = (id: string) => until(async () => (await call('GET', `/orders/${id}`)).json.status !== 'pending', 'it is over', 30_000, 100);

test('S1: a gateway takes an order, and the order service makes one of it, by one correlation id', async () => {
  // 1 to 3: POST /orders is validated, gets its correlation id, is published, and is answered with the event.
  const order = { customerId: '06f3bbf9-24ad-4d18-9d0d-7fad5b5f5cbf', items: [{ sku: 'SKU-1', quantity: 2 }], totalAmount: 150 };
  expect((await call('POST', '/orders', { ...order, customerId: 'me' })).status).toBe(422);
  const correlationId = randomUUID();
  const { status, json } = await call('POST', '/orders', order, { 'x-correlation-id': correlationId });
  const event = { correlationId, ...order, createdAt: (json.event as { createdAt: string }).createdAt };
  expect([status, json.correlationId, json.event]).toEqual([202, correlationId, event]);
  expect((await call('GET', `/orders/${correlationId}`)).json).toMatchObject({ customerId: order.customerId, totalAmount: 150 });
  const published = await recordsOfKey(kafka, 'order_created', correlationId);
  expect(published.map(({ value }) => JSON.parse(value) as object)).toEqual([event]);

  // 4 and 5: the order service has consumed it, and keeps an order that was pending at first.
  const [created] = await said('orders.created', correlationId);
  expect(created).toEqual({
    orderId: correlationId, clientId: order.customerId, total: 150, status: 'PENDENTE', items: [{ productId: 'SKU-1', quantity: 2, price: null }], itemsCount: 1, createdAt: event.createdAt,
  });
  await ended(correlationId);
  expect((await call('GET', `/orders/${correlationId}`)).json).toMatchObject({ status: 'paid', createdAt: event.createdAt });

  // 6: whatever was said of it names the correlation id.
  await said('orders.paid', correlationId);
  for (const topic of ['order_created', 'orders.created', 'inventory.reserved', 'payments.captured', 'orders.paid']) {
    const records = await recordsOfKey(kafka, topic, correlationId);
    expect([topic, records.map(({ headers }) => headers.correlation_id)]).toEqual([topic, [correlationId]]);
  }
  const connection = await Connection.connect({ address: system.endpoints.temporal ?? '' });
  const { memo } = await new Client({ connection }).workflow.getHandle(`order/${correlationId}`).describe();
  expect(memo).toMatchObject({ correlationId, clientId: order.customerId });
  await connection.close();
}, 90_000);

test('S3: a client buys a product, an event tells of it, and the status is set', async () => {
  const client = await call('POST', '/v1/clients', { name: 'João', email: 'joao@test.com', phone: '11999999999', cpf: '12345678909' });
  const product = await call('POST', '/v1/products', { name: 'Produto', description: 'Desc', price: 100, quantity: 10 });
  expect([client.status, product.status]).toEqual([201, 201]);
  const clientId = String(client.json.id);
  const items = [{ productId: String(product.json.id), quantity: 1, price: 100 }];
  const order = await call('POST', '/v1/orders', { clientId, items, total: 100, payments: [{ typePaymentId: 1, amount: 100 }] });
  expect(order).toMatchObject({ status: 201, json: { status: 'PENDENTE', clientId, total: 100, items } });
  const orderId = String(order.json.id);

  const [created, ...twice] = await said('orders.created', orderId);
  expect(created).toEqual({ orderId, clientId, total: 100, status: 'PENDENTE', items, itemsCount: 1, createdAt: order.json.createdAt });
  expect(twice).toEqual([]);

  expect(await call('PATCH', `/v1/orders/${orderId}`, { status: 'PAGO' })).toMatchObject({ status: 200, json: { id: orderId, status: 'PAGO', clientName: 'João' } });
  const [paid, ...paidTwice] = await said('orders.paid', orderId);
  expect(paid).toEqual({ orderId, clientId, clientName: 'João', status: 'PAGO', total: 100, updatedAt: expect.stringMatching(/^\d{4}-.*Z$/) as string });
  expect(paidTwice).toEqual([]);
  expect((await call('GET', `/v1/products/${String(product.json.id)}`)).json).toMatchObject({ quantity: 9, reserved: 0, sold: 1 });
  expect((await call('PATCH', `/v1/orders/${orderId}`, { status: 'CANCELADO' })).status).toBe(409);
}, 90_000);

test("S3: another orders service's order is paid, and its record is not written again", async () => {
  const orderId = randomUUID().replaceAll('-', '').slice(0, 24);
  const value = JSON.stringify({
    orderId, clientId: '1', total: 4500.0, status: 'PENDENTE', items: [{ productId: '1', quantity: 1, price: 4500.0 }], itemsCount: 1, createdAt: '2024-01-15T10:30:00.000Z',
  });
  const producer = new Kafka({ clientId: 'orders-service', brokers: system.endpoints.kafka.split(','), logLevel: logLevel.NOTHING }).producer();
  await producer.connect();
  await producer.send({ topic: 'orders.created', messages: [{ key: orderId, value }] });
  await producer.disconnect();
  expect(await said('orders.paid', orderId)).toMatchObject([{ orderId, clientId: '1', clientName: null, status: 'PAGO', total: 4500 }]);
  const created = await recordsOfKey(kafka, 'orders.created', orderId);
  expect(created.map((record) => record.value)).toEqual([value]);
  expect(await recordsOfKey(kafka, 'inventory.reserved', orderId)).toEqual([]);
}, 90_000);
