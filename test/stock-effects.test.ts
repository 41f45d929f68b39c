import type { Pool } from 'pg';
import { stockActivities, type StockActivities } from '../activities/stock';
import { readConfig } from '../src/config';
import { migrate } from '../src/facts/migrate';
import { openPool } from '../src/facts/postgres';
import { factsFrom } from '../src/facts/read';
import { tellFacts } from '../src/facts/tell';
import { order } from '../workflows/order/definition';
import type { Fact } from '../workflows/kernel/fact';
import type { Recorded } from '../workflows/kernel/recording';
import type { OrderFact, OrderReason } from '../workflows/order/lifecycle';
import { ownDatabase } from './setup/database';
import { createdOrder, shelf, stateOf, stockUp, tellCreated, type OrderWish } from './setup/orders';
import { PARTS_TIMEOUT_MS, realParts } from './setup/stack';

/** What an order does to the stock is done in the transaction of the fact that tells it: both, or neither. */

let db: Pool;
let stock: StockActivities;
let hints = 0;
let drop: () => Promise<void>;
beforeAll(async () => {
  const database = await ownDatabase((await realParts()).DATABASE_URL ?? '');
  drop = database.drop;
  db = openPool(readConfig({ DATABASE_URL: database.url }), 'test');
  await migrate(db);
  stock = stockActivities({ db, hint: () => (hints += 1) });
}, PARTS_TIMEOUT_MS);
afterAll(async () => {
  await db.end();
  await drop();
});
beforeEach(async () => {
  await db.query('TRUNCATE facts, order_view, products, stock_reservations, clients');
  hints = 0;
});

const AT = '2030-01-01T00:00:00.000Z';

/** Stored orders, each with its facts so far. */
async function placed(...wishes: OrderWish[]): Promise<{ id: string; facts: OrderFact[] }[]> {
  const created = wishes.map((wish) => createdOrder(wish));
  await tellCreated(db, created);
  return created.map((fact) => ({ id: fact.data.orderId, facts: [fact] }));
}
const asking = ({ id, facts }: { id: string; facts: readonly Fact[] }) => ({ id, version: facts.length + 1, at: AT, before: stateOf(facts) });
const because = (one: { id: string; facts: readonly Fact[] }, reason: OrderReason | null) => ({ ...asking(one), reason });

/** What was told, as type and reason; the facts are added to their orders. */
function heard(orders: readonly { id: string; facts: OrderFact[] }[], answers: readonly Recorded[]): string[] {
  return answers.map((answer, index) => {
    if (answer.outcome !== 'told') return answer.outcome;
    const facts = answer.facts as readonly OrderFact[];
    orders[index]?.facts.push(...facts);
    return facts.map(({ type, data }) => ['reason' in data ? `${type} ${data.reason}` : type]).join(', ');
  });
}
const reserve = async (...orders: { id: string; facts: OrderFact[] }[]) => heard(orders, await stock.reserveStock(orders.map(asking)));
const release = async (reason: OrderReason, ...orders: { id: string; facts: OrderFact[] }[]) => heard(orders, await stock.releaseStock(orders.map((one) => because(one, reason))));
const close = async (reason: OrderReason | null, ...orders: { id: string; facts: OrderFact[] }[]) => heard(orders, await stock.closeOrders(orders.map((one) => because(one, reason))));
/** Somebody pays. */
async function captured(one: { id: string; facts: OrderFact[] }): Promise<void> {
  const fact: OrderFact = { type: 'PaymentCaptured', version: one.facts.length + 1, at: AT, data: { orderId: one.id, amount: '10.00', paymentId: 'p' } };
  await tellFacts(db, order, [{ id: one.id, fact, after: stateOf([...one.facts, fact]) }]);
  one.facts.push(fact);
}

describe('reserving', () => {
  test('serves orders in their turn: each gets every item, or none', async () => {
    await stockUp(db, { p1: 5, p2: 3 });
    const orders = await placed({ items: { p1: 3, p2: 3 } }, { items: { p1: 1, p2: 1 } }, { items: { p1: 2 } }, { items: { p1: 1 } });
    expect(await reserve(...orders)).toEqual(['InventoryReserved', 'InventoryRejected out-of-stock', 'InventoryReserved', 'InventoryRejected out-of-stock']);
    expect([await shelf(db, 'p1'), await shelf(db, 'p2')]).toEqual([[0, 5, 0], [0, 3, 0]]);
    expect(hints).toBe(1);
  });

  test('counts items of one product together, by whichever name they go', async () => {
    await stockUp(db, { p1: 3 });
    const [over, fits] = await placed({ edge: 'gateway', items: { p1: 2, 'sku-p1': 2 } }, { edge: 'gateway', items: { p1: 1, 'sku-p1': 2 } });
    expect(await reserve(over!, fits!)).toEqual(['InventoryRejected out-of-stock', 'InventoryReserved']);
    expect(await shelf(db, 'p1')).toEqual([0, 3, 0]);
  });

  test('a shop’s item must be a product, by its id; a gateway’s that is none is in endless stock', async () => {
    await stockUp(db, { p1: 3 });
    const orders = await placed({ items: { p1: 1, nothing: 1 } }, { items: { 'sku-p1': 1 } }, { edge: 'gateway', items: { nothing: 1_000, p1: 1 } });
    expect(await reserve(...orders)).toEqual(['InventoryRejected unknown-product', 'InventoryRejected unknown-product', 'InventoryReserved']);
    expect(await shelf(db, 'p1')).toEqual([2, 1, 0]);
  });

  test('prefers the product with this id to one with this SKU', async () => {
    await stockUp(db, { p1: 3, 'sku-p1': 3 });
    expect(await reserve(...(await placed({ edge: 'gateway', items: { 'sku-p1': 1 } })))).toEqual(['InventoryReserved']);
    expect([await shelf(db, 'p1'), await shelf(db, 'sku-p1')]).toEqual([[3, 0, 0], [2, 1, 0]]);
  });

  test('tells payloads as they are promised, behind fact 1 and with the view', async () => {
    await stockUp(db, { p1: 3 });
    const [one] = await placed({ items: { p1: 2 } });
    await reserve(one!);
    const [, fact] = await factsFrom(db, 'order', one!.id);
    expect(fact).toMatchObject({ version: 2, at: AT, topic: 'inventory.reserved', payload: `{"orderId":"${one!.id}","items":[{"productId":"p1","quantity":2}]}` });
    expect((await db.query('SELECT status, phase, version FROM order_view WHERE id = $1', [one!.id])).rows).toEqual([{ status: 'pending', phase: 'working', version: 2 }]);
  });

  test('a second time moves nothing and brings what was told, also of orders asked twice in one call', async () => {
    await stockUp(db, { p1: 3 });
    const [one] = await placed({ items: { p1: 2 } });
    const request = asking(one!);
    const answers = [...(await stock.reserveStock([request, request])), ...(await stock.reserveStock([request]))];
    expect(answers).toEqual(Array(3).fill(expect.objectContaining({ outcome: 'told', facts: [expect.objectContaining({ type: 'InventoryReserved', version: 2 })] })));
    expect(await shelf(db, 'p1')).toEqual([1, 2, 0]);
    expect(hints).toBe(1);
  });

  test('what an order has got already is not counted against the next in line', async () => {
    await stockUp(db, { p1: 3 });
    const [first, second] = await placed({ items: { p1: 2 } }, { items: { p1: 1 } });
    const again = asking(first!);
    await reserve(first!);
    expect(heard([], await stock.reserveStock([again, asking(second!)]))).toEqual(['InventoryReserved', 'InventoryReserved']);
    expect(await shelf(db, 'p1')).toEqual([0, 3, 0]);
  });
});

describe('releasing', () => {
  test('gives back what an order holds, once', async () => {
    await stockUp(db, { p1: 3 });
    const [one] = await placed({ items: { p1: 2 } });
    await reserve(one!);
    const request = because(one!, 'deadline');
    expect(await release('deadline', one!)).toEqual(['InventoryReleased deadline']);
    expect(heard([], await stock.releaseStock([request]))).toEqual(['InventoryReleased deadline']);
    expect(await shelf(db, 'p1')).toEqual([3, 0, 0]);
    expect((await factsFrom(db, 'order', one!.id)).map(({ payload }) => payload).slice(2)).toEqual([`{"orderId":"${one!.id}","items":[{"productId":"p1","quantity":2}],"reason":"deadline"}`]);
  });

  test('closes an order’s stock for ever, also where nothing was held: who comes to reserve after that is turned away', async () => {
    await stockUp(db, { p1: 3 });
    const [one] = await placed({ items: { p1: 2 } });
    expect(await release('cancelled', one!)).toEqual(['InventoryReleased cancelled']);
    expect(await reserve(one!)).toEqual(['InventoryRejected refused']);
    expect(await shelf(db, 'p1')).toEqual([3, 0, 0]);
  });
});

describe('closing', () => {
  beforeEach(async () => {
    await stockUp(db, { p1: 3 });
    await db.query(`INSERT INTO clients (id, name, email, phone, cpf) VALUES ('client-1', 'Ana', 'ana@example.com', '1', '12345678909')`);
  });

  test('sells what a paid order holds, and tells its client’s name', async () => {
    const [one] = await placed({ items: { p1: 2 }, totalCents: 15_010 });
    await reserve(one!);
    await captured(one!);
    const request = because(one!, null);
    expect(await close(null, one!)).toEqual(['OrderPaid']);
    expect(heard([], await stock.closeOrders([request]))).toEqual(['OrderPaid']);
    expect(await shelf(db, 'p1')).toEqual([1, 0, 2]);
    expect((await factsFrom(db, 'order', one!.id)).at(-1)?.payload).toBe(
      `{"orderId":"${one!.id}","clientId":"client-1","clientName":"Ana","status":"PAGO","total":150.1,"updatedAt":"${AT}"}`,
    );
    expect((await db.query('SELECT status, client_name, phase FROM order_view WHERE id = $1', [one!.id])).rows).toEqual([{ status: 'paid', client_name: 'Ana', phase: 'done' }]);
  });

  test('for good: what is sold is not given back, whoever comes to release it', async () => {
    const [one] = await placed({ items: { p1: 2 } });
    await reserve(one!);
    await captured(one!);
    await close(null, one!);
    await release('cancelled', one!);
    expect(await shelf(db, 'p1')).toEqual([1, 0, 2]);
  });

  test.each([['cancelled', 'CANCELADO'], ['deadline', 'FALHA']] as const)('an order that failed as %s is %s, and holds nothing', async (reason, status) => {
    const [one] = await placed({ items: { p1: 2 }, clientId: 'nobody' });
    await reserve(one!);
    expect(await close(reason, one!)).toEqual(['OrderFailed']);
    expect(await shelf(db, 'p1')).toEqual([3, 0, 0]);
    expect((await factsFrom(db, 'order', one!.id)).at(-1)?.data).toEqual({ orderId: one!.id, clientId: 'nobody', clientName: null, status, total: 10, updatedAt: AT });
  });

  test('and reserving exclude each other: who was second adopts what the first told, and moves nothing', async () => {
    const [one, two] = await placed({ items: { p1: 1 } }, { items: { p1: 1 } });
    const [late, early] = [asking(one!), because(two!, 'cancelled')];
    await close('cancelled', one!);
    await reserve(two!);
    expect(heard([], await stock.reserveStock([late]))).toEqual(['OrderFailed']);
    expect(heard([], await stock.closeOrders([early]))).toEqual(['InventoryReserved']);
    expect(await shelf(db, 'p1')).toEqual([2, 1, 0]);
  });
});

describe('a batch', () => {
  test('with somebody whose data no database takes costs that order alone', async () => {
    await stockUp(db, { p1: 9 });
    const orders = await placed(...Array.from({ length: 9 }, () => ({ items: { p1: 1 } })));
    const [bad] = orders.splice(4, 1);
    const poisoned = { ...asking(bad!), at: 'no time' };
    const answers = await stock.reserveStock([...orders.slice(0, 4).map(asking), poisoned, ...orders.slice(4).map(asking)]);
    expect(answers.map(({ outcome }) => outcome)).toEqual([...Array(4).fill('told'), 'refused', ...Array(4).fill('told')]);
    expect(answers[4]).toMatchObject({ reason: expect.stringMatching(/no time/) });
    expect(await shelf(db, 'p1')).toEqual([1, 8, 0]);
  });

  test('of a story that the store has forgotten is told so, and moves nothing until its first fact is recovered', async () => {
    await stockUp(db, { p1: 9 });
    const [one, two] = [createdOrder({ items: { p1: 1 } }), createdOrder({ items: { p1: 1 } })].map((fact) => ({ id: fact.data.orderId, facts: [fact] as OrderFact[] }));
    await tellCreated(db, two!.facts);
    expect(await stock.reserveStock([asking(one!), asking(two!)])).toMatchObject([{ outcome: 'lacking', has: 0 }, { outcome: 'told' }]);
    expect(await shelf(db, 'p1')).toEqual([8, 1, 0]);
    const again = { ...asking(one!), refill: one!.facts };
    const [three] = await placed({ items: { p1: 1 } });
    expect(await stock.reserveStock([again, asking(three!)])).toMatchObject([{ outcome: 'lost' }, { outcome: 'told' }]);
    expect(await factsFrom(db, 'order', one!.id)).toEqual([]);
    await tellCreated(db, one!.facts);
    expect(await stock.reserveStock([again])).toMatchObject([{ outcome: 'told' }]);
    expect((await factsFrom(db, 'order', one!.id)).map(({ type }) => type)).toEqual(['OrderCreated', 'InventoryReserved']);
    expect(await shelf(db, 'p1')).toEqual([6, 3, 0]);
  });

  test('that is undone after its facts were inserted has told nothing', async () => {
    await stockUp(db, { p1: 9 });
    const [one] = await placed({ items: { p1: 1 } });
    // The connection goes when the stock is about to be moved.
    const failing = stockActivities({
      hint: () => (hints += 1),
      db: Object.create(db, {
        connect: { value: async () => {
          const client = await db.connect();
          const broken = (text: string, values?: unknown[]) => (/SET quantity/.test(text) ? Promise.reject(new Error('gone')) : client.query(text, values));
          return { query: broken, release: () => client.release() };
        } },
      }) as Pool,
    });
    await expect(failing.reserveStock([asking(one!)])).rejects.toThrow('gone');
    expect((await factsFrom(db, 'order', one!.id)).length).toBe(1);
    expect([await shelf(db, 'p1'), hints]).toEqual([[9, 0, 0], 0]);
  });

  test('crosses another over the same products and orders, and each order is served once', async () => {
    await stockUp(db, { p1: 30, p2: 30 });
    const orders = await placed(...Array.from({ length: 40 }, (_, n) => ({ items: n % 2 === 0 ? { p1: 1, p2: 1 } : { p2: 1, p1: 1 } })));
    const requests = orders.map(asking);
    const calls = [requests, requests.toReversed(), requests.slice(10), requests.slice(0, 30).toReversed()];
    const answers = (await Promise.all(calls.map((call) => stock.reserveStock(call)))).flat();
    const told = new Map<string, Set<string>>();
    for (const answer of answers) told.set(answer.id, (told.get(answer.id) ?? new Set()).add(JSON.stringify(answer)));
    expect([...told.values()].map(({ size }) => size)).toEqual(Array(40).fill(1));
    expect([await shelf(db, 'p1'), await shelf(db, 'p2')]).toEqual([[0, 30, 0], [0, 30, 0]]);
  });
});
