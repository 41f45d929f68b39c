import { paymentKey, type OrderFact } from '../workflows/order/lifecycle';
import type { OrderScript } from './setup/fake-order-activities';
import type { OrderWish } from './setup/orders';
import { openSkippedOrders, type SkippedOrder, type SkippedOrders } from './setup/skipped-orders';
import { PARTS_TIMEOUT_MS } from './setup/stack';

/** What an order does, told by the facts that its story records; hours pass in no time. */

let time: SkippedOrders;
beforeAll(async () => (time = await openSkippedOrders()), PARTS_TIMEOUT_MS);
afterAll(() => time?.close());

const HOUR_MS = 3_600_000;
const typesOf = (facts: readonly OrderFact[]) => facts.map(({ type }) => type);
const lastOf = (facts: readonly OrderFact[]) => facts.at(-1)?.data;
const atOf = (facts: readonly OrderFact[], type: OrderFact['type']) => Date.parse(facts.find((fact) => fact.type === type)?.at ?? '');
/** Pieces of p1 that are free, and whether the order holds any. */
const stockOf = ({ id, stores }: SkippedOrder) => [stores.shelves.get('p1')?.free, stores.held.has(id)];
const moneyOf = ({ id, stores }: SkippedOrder) => stores.books.books.get(paymentKey(id))?.state;
const UNDONE = ['InventoryReleased', 'OrderFailed'];

async function begun(wish: OrderWish = {}, script: OrderScript | ((order: SkippedOrder) => OrderScript) = {}): Promise<SkippedOrder> {
  const one = await time.begin({ items: { p1: 4 }, ...wish });
  one.stores.script = typeof script === 'function' ? script(one) : script;
  await one.start();
  return one;
}

/** What is held is let go after each test at the latest, so that one that fails holds up no other. */
const holds: (() => void)[] = [];
afterEach(() => holds.splice(0).forEach((release) => release()));
function hold(): { held: Promise<void>; release: () => void } {
  let release = (): void => undefined;
  const held = new Promise<void>((resolve) => (release = resolve));
  holds.push(() => release());
  return { held, release: () => release() };
}

/** Fails the first `times` calls. */
function failing(times: number): () => Promise<void> {
  return async () => {
    if (times-- > 0) throw new Error('away');
  };
}

describe('an order that is captured at once', () => {
  test('is reserved, captured and paid', async () => {
    const one = await begun({ totalCents: 15_010 });
    const { result, facts } = await one.ended();
    expect(result).toEqual({ status: 'paid', version: 4 });
    expect(facts.slice(1).map(({ type, data }) => [type, data])).toEqual([
      ['InventoryReserved', { orderId: one.id, items: [{ productId: 'p1', quantity: 4 }] }],
      ['PaymentCaptured', { orderId: one.id, amount: '150.10', paymentId: `memory/${paymentKey(one.id)}` }],
      ['OrderPaid', { orderId: one.id, clientId: 'client-1', clientName: null, status: 'PAGO', total: 150.1, updatedAt: facts[3]?.at }],
    ]);
    expect([stockOf(one), moneyOf(one)]).toEqual([[6, false], 'captured']);
  });

  test('is released and failed where the provider declines it', async () => {
    const one = await begun({ totalCents: 1_013 });
    const { result, facts } = await one.ended();
    expect(typesOf(facts).slice(1)).toEqual(['InventoryReserved', 'PaymentDeclined', ...UNDONE]);
    expect(facts[2]?.data).toMatchObject({ reason: 'declined', paymentId: `memory/${paymentKey(one.id)}` });
    expect(lastOf(facts)).toMatchObject({ status: 'FALHA', total: 10.13 });
    expect([result, stockOf(one)]).toEqual([{ status: 'failed', version: 5 }, [10, false]]);
  });

  test('is failed, and nothing is captured, where the stock does not suffice', async () => {
    const one = await begun({ items: { p1: 11 } });
    const { facts } = await one.ended();
    expect(typesOf(facts).slice(1)).toEqual(['InventoryRejected', 'OrderFailed']);
    expect(facts[1]?.data).toEqual({ orderId: one.id, items: [{ productId: 'p1', quantity: 11 }], reason: 'out-of-stock' });
    expect([lastOf(facts), stockOf(one), moneyOf(one)]).toMatchObject([{ status: 'FALHA' }, [10, false], undefined]);
  });

  test('is paid by the partner’s fact alone, without our stock, where it came from another orders service', async () => {
    const one = await begun({ edge: 'partner', items: { elsewhere: 3 } });
    expect(typesOf((await one.ended()).facts).slice(1)).toEqual(['PaymentCaptured', 'OrderPaid']);
  });

  test('cannot be settled by hand: who asks for it to be paid hears how it ended', async () => {
    const one = await begun({}, { stock: failing(1) });
    const answer = one.ask('pay');
    const { facts } = await one.ended();
    expect([await answer, typesOf(facts).at(-1)]).toEqual(['granted', 'OrderPaid']);
  });
});

describe('an order that waits for its settlement', () => {
  const waiting = async (script?: OrderScript) => {
    const one = await begun({ typePaymentId: 2 }, script);
    await one.told('InventoryReserved');
    return one;
  };

  test.each([
    ['pay', ['PaymentCaptured', 'OrderPaid'], 'PAGO', [6, false]],
    ['cancel', UNDONE, 'CANCELADO', [10, false]],
    ['refuse', UNDONE, 'FALHA', [10, false]],
  ] as const)('is settled by %s, and who asked hears that it is so', async (type, told, status, stock) => {
    const one = await waiting();
    expect(await one.ask(type)).toBe('granted');
    const { facts } = await one.ended();
    expect(typesOf(facts).slice(2)).toEqual(told);
    expect([lastOf(facts), stockOf(one), moneyOf(one)]).toMatchObject([{ status }, stock, undefined]);
  });

  test('is settled once: who comes second with something else is refused', async () => {
    const { held, release } = hold();
    const one = await waiting({ stock: async (call) => (call === 'closeOrders' ? await held : undefined) });
    const first = one.ask('pay');
    await one.told('PaymentCaptured');
    const second = one.ask('cancel');
    release();
    expect([await first, await second]).toEqual(['granted', 'refused']);
    expect(typesOf((await one.ended()).facts).at(-1)).toBe('OrderPaid');
  });

  test('fails a day after it began to wait, not sooner, and gives its stock back', async () => {
    const one = await waiting();
    const { facts } = await one.ended();
    expect(typesOf(facts).slice(2)).toEqual(UNDONE);
    expect([facts[2]?.data, lastOf(facts)]).toMatchObject([{ reason: 'deadline' }, { status: 'FALHA' }]);
    const waitedMs = atOf(facts, 'InventoryReleased') - atOf(facts, 'InventoryReserved');
    expect(waitedMs).toBeGreaterThanOrEqual(24 * HOUR_MS);
    expect(waitedMs).toBeLessThan(24 * HOUR_MS + 5_000);
    expect(stockOf(one)).toEqual([10, false]);
  });

  test('keeps its deadline where it is moved to another run at hour 23', async () => {
    const one = await waiting();
    await one.sleep(23 * HOUR_MS);
    await one.terminate();
    await one.start();
    const { facts } = await one.ended();
    const waitedMs = atOf(facts, 'InventoryReleased') - atOf(facts, 'InventoryReserved');
    expect(waitedMs).toBeGreaterThanOrEqual(24 * HOUR_MS);
    expect(waitedMs).toBeLessThan(24 * HOUR_MS + 5_000);
  });

  test('takes a settlement an hour before the deadline, and refuses one that comes after it', async () => {
    const early = await waiting();
    await early.sleep(23 * HOUR_MS);
    expect(await early.ask('pay')).toBe('granted');
    expect(typesOf((await early.ended()).facts).at(-1)).toBe('OrderPaid');

    const { held, release } = hold();
    const late = await waiting({ stock: async (call) => (call === 'closeOrders' ? await held : undefined) });
    await late.sleep(24 * HOUR_MS);
    await late.told('InventoryReleased');
    const answer = late.ask('pay');
    release();
    expect(await answer).toBe('refused');
    expect(typesOf((await late.ended()).facts).at(-1)).toBe('OrderFailed');
  });
});

describe('an order that is cancelled', () => {
  test('before its stock is reserved holds nothing and asks no provider', async () => {
    const one = await time.begin();
    one.stores.mail.set(one.id, [{ id: 'cancel-1', type: 'cancel', data: {} }]);
    await one.start();
    const { facts } = await one.ended();
    expect([typesOf(facts), lastOf(facts), stockOf(one), moneyOf(one)]).toMatchObject([['OrderCreated', 'OrderFailed'], { status: 'CANCELADO' }, [10, false], undefined]);
  });

  test('after the money was taken and before that is known gets it back', async () => {
    const one = await begun({}, { provider: { after: async (call) => {
      // Every answer to a capture is lost.
      if (call === 'capture') throw new Error('away');
    } } });
    await one.told('InventoryReserved');
    const answer = one.ask('cancel');
    const { facts } = await one.ended();
    expect(typesOf(facts).slice(2)).toEqual(['PaymentDeclined', 'PaymentVoided', ...UNDONE]);
    expect(facts[3]?.data).toEqual({ orderId: one.id, amount: '10.00', paymentId: `memory/${paymentKey(one.id)}`, reason: 'cancelled' });
    expect([await answer, stockOf(one), moneyOf(one)]).toEqual(['granted', [10, false], 'voided']);
  });
});

describe('what is away', () => {
  test('a provider, for an hour: the order waits for it and is paid', async () => {
    let backAt = 0;
    const one = await begun({}, (order) => ({ provider: { before: async () => {
      const now = await order.now();
      backAt ||= now + HOUR_MS;
      if (now < backAt) throw new Error('away');
    } } }));
    const { facts } = await one.ended();
    expect(typesOf(facts).slice(1)).toEqual(['InventoryReserved', 'PaymentCaptured', 'OrderPaid']);
    expect(atOf(facts, 'PaymentCaptured') - atOf(facts, 'InventoryReserved')).toBeGreaterThanOrEqual(HOUR_MS);
  });

  test('a provider, while its key is to be closed: no order fails before its money is known to be safe', async () => {
    let voids = 0;
    const one = await begun({}, { provider: {
      after: async (call) => {
        if (call === 'capture' || (voids += 1) <= 2) throw new Error('away');
      },
    } });
    await one.told('InventoryReserved');
    const answer = one.ask('cancel');
    const { facts } = await one.ended();
    expect(typesOf(facts).slice(2)).toEqual(['PaymentDeclined', 'PaymentVoided', ...UNDONE]);
    expect([voids, moneyOf(one)]).toEqual([3, 'voided']);
    expect(await answer).toBe('granted');
  });

  test('a database, twice, when the stock is to be released: it is released after that, once', async () => {
    let away = 2;
    const one = await begun({ totalCents: 13 }, { stock: async (call) => {
      if (call === 'releaseStock' && away-- > 0) throw new Error('away');
    } });
    const { facts } = await one.ended();
    expect(typesOf(facts).slice(2)).toEqual(['PaymentDeclined', ...UNDONE]);
    expect([away, stockOf(one)]).toEqual([-1, [10, false]]);
  });
});

// Last, because the test server never skips time again once a story ended before an activity of its did.
describe('an order that is cancelled while a call is under way', () => {
  test('does not wait for it: it is declined, its key closed, and then undone', async () => {
    let asked = false;
    const { held, release } = hold();
    const one = await begun({}, { provider: { before: async (call) => {
      if (call !== 'capture') return;
      asked = true;
      await held;
    } } });
    await one.told('InventoryReserved');
    const answer = one.ask('cancel');
    const { facts } = await one.ended();
    expect(asked).toBe(true);
    expect(typesOf(facts).slice(1)).toEqual(['InventoryReserved', 'PaymentDeclined', ...UNDONE]);
    expect([facts[2]?.data, lastOf(facts)]).toMatchObject([{ reason: 'cancelled', paymentId: paymentKey(one.id) }, { status: 'CANCELADO' }]);
    expect([await answer, stockOf(one), moneyOf(one)]).toEqual(['granted', [10, false], 'voided']);
    // The capture that comes back at last finds its key closed.
    release();
    await new Promise(setImmediate);
    expect(moneyOf(one)).toBe('voided');
  });
});
