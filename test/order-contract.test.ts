import { v5 as uuidv5 } from 'uuid';
import { FAZENDA_NAMESPACE } from '../src/facts/identity';
import { order } from '../workflows/order/definition';
import type { StartDoor } from '../workflows/kernel/definition';
import { fold } from '../workflows/kernel/lifecycle';
import type { OrderFact } from '../workflows/order/lifecycle';

/** What the order domain shows at its doors is CONTRACTS §2 and §7, name by name. */

const [requested, placed, elsewhere] = order.doors;
if (!requested || !placed || !elsewhere) throw new Error('orders have three doors');
const SENT_AT = '2026-01-02T03:04:05.678Z';
const CORRELATION = '4d93d58a-4f0b-4d7c-9b3d-5dc2f44f9f92';
const CUSTOMER = '06f3bbf9-24ad-4d18-9d0d-7fad5b5f5cbf';

/** The record of the seed, as it stands there. */
const S1 = { correlationId: CORRELATION, customerId: CUSTOMER, items: [{ sku: 'SKU-1', quantity: 2 }], totalAmount: 150, createdAt: '2025-12-05T21:15:00.000Z' };
const S3 = { orderId: 'o-1', clientId: '1', items: [{ productId: '7', quantity: 3, price: 1.1 }, { productId: '8', quantity: 1, price: 0.2 }], total: 3.5, payments: [{ typePaymentId: 1, amount: 3.3 }, { typePaymentId: 2, amount: 0.2 }] };
const PARTNER = { orderId: '507f1f77bcf86cd799439011', clientId: '1', total: 4500.0, status: 'PENDENTE', items: [{ productId: '1', quantity: 1, price: 4500.0 }], itemsCount: 1, createdAt: '2024-01-15T10:30:00.000Z' };

const firstOf = (door: StartDoor, message: object) => door.first({ message: door.schema.parse(message) as never, headers: {}, sentAt: SENT_AT });
const faultsOf = (door: StartDoor, message: object) => door.schema.safeParse(message).error?.issues.map(({ path }) => path.join('.'));

describe('names', () => {
  test('every fact has its own topic', () => {
    expect(order.topics).toEqual({
      OrderCreated: 'orders.created', InventoryReserved: 'inventory.reserved', InventoryRejected: 'inventory.rejected', InventoryReleased: 'inventory.released',
      PaymentCaptured: 'payments.captured', PaymentDeclined: 'payments.declined', PaymentVoided: 'payments.voided', OrderPaid: 'orders.paid', OrderFailed: 'orders.failed',
    });
  });

  test('orders come in by three topics and two groups, and our own facts start nothing', () => {
    expect(order.doors.map(({ topic, group, foreignOnly }) => [topic, group, foreignOnly])).toEqual([
      ['order_created', 'order-service-group', false], ['orders.create', 'order-service-group', false], ['orders.created', 'payments-service-group', true],
    ]);
    expect(order.doors.map(({ topicSetting, groupSetting }) => [topicSetting, groupSetting])).toEqual([
      ['KAFKA_TOPIC_ORDER_CREATED', 'KAFKA_GROUP_ID'], [undefined, 'KAFKA_GROUP_ID'], [undefined, undefined],
    ]);
  });

  test('commands, queries, resources, the update and the live path', () => {
    const { commands, queries, resources, updates, live } = order.http;
    expect(commands.map(({ path, status, kind }) => [path, status, kind])).toEqual([['/orders', 202, 'creates'], ['/v1/orders', 201, 'creates']]);
    expect(queries.map(({ path, statuses }) => [path, statuses])).toEqual([
      ['/orders', ['pending', 'paid', 'cancelled', 'failed']], ['/v1/orders', ['PENDENTE', 'PAGO', 'CANCELADO', 'FALHA']],
    ]);
    expect(resources.map(({ path }) => path)).toEqual(['/v1/clients', '/v1/products']);
    expect(updates?.map(({ path }) => path)).toEqual(['/v1/orders']);
    expect([live.path, live.idField]).toEqual(['/ws/orders/:id/status', 'orderId']);
  });
});

describe('the record on order_created', () => {
  test('becomes fact 1 with the data of the contract, to the byte, and pays at once', () => {
    const { id, type, at, data, context, correlationId } = firstOf(requested, S1);
    expect([id, type, at, correlationId]).toEqual([CORRELATION, 'OrderCreated', S1.createdAt, CORRELATION]);
    expect(JSON.stringify(data)).toBe(
      `{"orderId":"${CORRELATION}","clientId":"${CUSTOMER}","total":150,"status":"PENDENTE","items":[{"productId":"SKU-1","quantity":2,"price":null}],"itemsCount":1,"createdAt":"2025-12-05T21:15:00.000Z"}`,
    );
    expect(context).toEqual({ edge: 'gateway', payments: [] });
  });

  test('names one order, however its correlation id is spelled; one that is no UUID is made into one', () => {
    expect(firstOf(requested, { ...S1, correlationId: CORRELATION.toUpperCase() }).id).toBe(CORRELATION);
    expect(firstOf(requested, { ...S1, correlationId: 'order 7' }).id).toBe(uuidv5('order 7', FAZENDA_NAMESPACE));
  });

  test('was made when it was sent, where it does not say; and where it says, to the millisecond in UTC', () => {
    const { createdAt: _gone, ...without } = S1;
    expect(firstOf(requested, without).at).toBe(SENT_AT);
    expect(firstOf(requested, { ...S1, createdAt: '2025-12-05T23:15:00.1234+02:00' }).data).toMatchObject({ createdAt: '2025-12-05T21:15:00.123Z' });
  });

  test.each<[string, object]>([
    ['correlationId', { correlationId: '' }], ['correlationId', { correlationId: 'x'.repeat(256) }], ['customerId', { customerId: '7' }],
    ['items', { items: [] }], ['items', { items: Array.from({ length: 501 }, () => S1.items[0]) }], ['items.0.sku', { items: [{ sku: '', quantity: 1 }] }],
    ['items.0.quantity', { items: [{ sku: 'a', quantity: 0 }] }], ['items.0.quantity', { items: [{ sku: 'a', quantity: 1.5 }] }],
    ['items.0.quantity', { items: [{ sku: 'a', quantity: 1_000_001 }] }], ['totalAmount', { totalAmount: 1.005 }], ['totalAmount', { totalAmount: -1 }],
    ['totalAmount', { totalAmount: '150' }], ['totalAmount', { totalAmount: 1e-7 }], ['totalAmount', { totalAmount: 1e11 }],
    ['createdAt', { createdAt: 'yesterday' }], ['createdAt', { createdAt: '9999-12-31T23:59:59-14:00' }], ['createdAt', { createdAt: '2025-02-30T00:00:00Z' }],
  ])('is refused for its %s: %j', (field, wrong) => expect(faultsOf(requested, { ...S1, ...wrong })).toContain(field));
});

describe('the record on orders.create', () => {
  test('becomes fact 1 at the time of its sending, and its payments go with it, beside the data', () => {
    const { id, at, data, context } = firstOf(placed, S3);
    expect([id, at, context]).toEqual(['o-1', SENT_AT, { edge: 'shop', payments: S3.payments }]);
    expect(JSON.stringify(data)).toBe(
      `{"orderId":"o-1","clientId":"1","total":3.5,"status":"PENDENTE","items":[{"productId":"7","quantity":3,"price":1.1},{"productId":"8","quantity":1,"price":0.2}],"itemsCount":2,"createdAt":"${SENT_AT}"}`,
    );
  });

  test('without payments, or with none, it is paid at once', () => {
    const { payments: _gone, ...without } = S3;
    for (const message of [without, { ...S3, payments: [] }]) expect(firstOf(placed, message).context).toEqual({ edge: 'shop', payments: [] });
  });

  test.each<[string, object]>([
    ['total', { total: 3.51, payments: [] }], ['total', { total: 3.49, payments: [] }], ['payments', { payments: [{ typePaymentId: 1, amount: 3.51 }] }],
    ['items.0.price', { items: [{ productId: '7', quantity: 1, price: 0.125 }] }], ['payments.0.amount', { payments: [{ typePaymentId: 1, amount: 0.125 }] }],
    ['payments.0.typePaymentId', { payments: [{ typePaymentId: 0, amount: 3.5 }] }], ['clientId', { clientId: 1 }], ['orderId', { orderId: '' }],
  ])('is refused for its %s: %j, and for nothing else', (field, wrong) => expect(faultsOf(placed, { ...S3, ...wrong })).toEqual([field]));

  test('the dearest order there is adds up to the cent, and one that is dearer is none', () => {
    const items = Array.from({ length: 3 }, () => ({ productId: 'p', quantity: 1_000_000, price: 9_999_999_999.99 }));
    expect(faultsOf(placed, { ...S3, payments: [], items, total: 10_000_000_000 })).toEqual(['total']);
    expect(faultsOf(placed, { ...S3, payments: [], items: [{ productId: 'p', quantity: 3, price: 3_333_333_333.33 }], total: 9_999_999_999.99 })).toBeUndefined();
  });
});

describe("a partner's record on orders.created", () => {
  test('is fact 1 as it came, has no context, and folds to an order that is paid next', () => {
    const first = firstOf(elsewhere, PARTNER);
    expect(first).toEqual({ id: PARTNER.orderId, type: 'OrderCreated', at: PARTNER.createdAt, data: PARTNER });
    expect(JSON.stringify(first.data)).toBe(JSON.stringify(PARTNER));
    expect(fold(order.lifecycle, [{ ...first, version: 1 } as OrderFact])).toMatchObject({ status: 'pending', step: 'paying', edge: 'partner' });
  });

  test('its sums, its count and what else it says are its own affair', () => {
    const { itemsCount: _count, createdAt: _createdAt, ...without } = PARTNER;
    expect(firstOf(elsewhere, { ...without, total: 1, status: 'NEW', more: true }).data).toEqual({ ...PARTNER, total: 1, createdAt: SENT_AT });
    expect(firstOf(elsewhere, { ...PARTNER, createdAt: 'Monday', itemsCount: 4, items: [{ productId: '1', quantity: 1 }] }).data).toEqual({
      ...PARTNER, createdAt: SENT_AT, itemsCount: 4, items: [{ productId: '1', quantity: 1, price: null }],
    });
  });

  test.each<[string, object]>([['total', { total: 33.333 }], ['items.0.price', { items: [{ productId: '1', quantity: 1, price: 0.001 }] }], ['orderId', { orderId: 'x'.repeat(256) }], ['items', { items: [] }]])(
    'is refused for its %s: %j', (field, wrong) => expect(faultsOf(elsewhere, { ...PARTNER, ...wrong })).toEqual([field]));
});

test('what an order shows beside its run is short, and finds the orders of a client', () => {
  const { summary, memo, searchAttributes, priority } = order.display;
  expect([summary(PARTNER), memo(PARTNER), priority()]).toEqual(['1 items · 4500.00 · 1', { clientId: '1', total: '4500.00' }, 3]);
  expect(searchAttributes.FazendaClient(PARTNER)).toBe('1');
});
