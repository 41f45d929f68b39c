import fc from 'fast-check';
import type { Pool } from 'pg';
import { simulatedProvider } from '../activities/payment/simulated';
import { paymentActivities, type PaymentActivities } from '../activities/payments';
import { stockActivities, type StockActivities } from '../activities/stock';
import { readConfig } from '../src/config';
import { migrate } from '../src/facts/migrate';
import { openPool } from '../src/facts/postgres';
import { factsFrom } from '../src/facts/read';
import { tellFacts } from '../src/facts/tell';
import type { Recorded } from '../workflows/kernel/recording';
import { order } from '../workflows/order/definition';
import { paymentKey, type OrderFact, type OrderReason } from '../workflows/order/lifecycle';
import { ownDatabase } from './setup/database';
import { createdOrder, stateOf, stockUp, tellCreated, type OrderWish } from './setup/orders';
import { PARTS_TIMEOUT_MS, realParts } from './setup/stack';

/**
 * Many orders on few products, each run twice, in random crossings on a real database: what was there is at any
 * moment what remains, is reserved and is sold, and each order ends once, with its stock and its money alike.
 */

let db: Pool;
let drop: () => Promise<void>;
let stock: StockActivities;
let payments: PaymentActivities;
beforeAll(async () => {
  const database = await ownDatabase((await realParts()).DATABASE_URL ?? '');
  drop = database.drop;
  db = openPool(readConfig({ DATABASE_URL: database.url }), 'test');
  await migrate(db);
  stock = stockActivities({ db, hint: () => undefined });
  payments = paymentActivities({ db, payments: simulatedProvider(db) });
}, PARTS_TIMEOUT_MS);
afterAll(async () => {
  await db.end();
  await drop();
});

const SHELVES = { p0: 24, p1: 12, p2: 3 };
const RUNS = 25;
const MINUTES_3 = 180_000;

/** One of the two runs of an order: what it knows, which may be less than what is stored. */
class OrderRun {
  readonly facts: OrderFact[];
  /** The last thing it did, to be done again as a retry or a zombie does it. */
  again: () => Promise<void> = async () => undefined;

  constructor(readonly id: string, first: OrderFact) {
    this.facts = [first];
  }

  get state() {
    return stateOf(this.facts);
  }

  adopt(facts: readonly OrderFact[]): void {
    this.facts.push(...facts.filter(({ version }) => version > this.facts.length));
  }

  hear(answer: Recorded): void {
    if (answer.outcome !== 'told') throw new Error(`${answer.id} was answered ${answer.outcome}`);
    this.adopt(answer.facts as readonly OrderFact[]);
  }

  telling(reason: OrderReason | null = null) {
    return { id: this.id, version: this.facts.length + 1, at: new Date().toISOString(), before: this.state, reason };
  }

  async record(type: 'PaymentCaptured' | 'PaymentDeclined' | 'PaymentVoided', reason?: OrderReason): Promise<void> {
    const { id, version, at } = this.telling();
    const fact: OrderFact = { type, version, at, data: { orderId: id, amount: '1.00', paymentId: 'p', ...(reason && { reason }) } };
    await tellFacts(db, order, [{ id, fact, after: stateOf([...this.facts, fact]) }]);
    this.adopt((await factsFrom(db, 'order', id, version)) as readonly object[] as readonly OrderFact[]);
  }
}

/** What some runs do next, in bulk where it is one call: each what its state asks for, or, where `turn`, the other way out. */
async function step(runs: readonly OrderRun[], turn: boolean, dies: boolean): Promise<void> {
  const inBulk = async (some: readonly OrderRun[], call: (runs: readonly OrderRun[]) => Promise<Recorded[]>) => {
    if (some.length === 0) return;
    const answers = await call(some);
    answers.forEach((answer, index) => some[index]?.hear(answer));
  };
  const at = (...steps: string[]) => runs.filter(({ state }) => steps.includes(state.step));
  const reserve = (some: readonly OrderRun[]) => asked(some, null, stock.reserveStock);
  const release = (reason: OrderReason) => (some: readonly OrderRun[]) => asked(some, reason, stock.releaseStock);
  const close = (some: readonly OrderRun[]) => asked(some, 'cancelled', stock.closeOrders);
  await Promise.all([
    inBulk(at('reserving'), turn ? close : reserve),
    inBulk(at('releasing'), release('cancelled')),
    inBulk(at('closing', 'failing'), close),
    ...(turn ? [inBulk(at('awaiting'), release('deadline'))] : at('awaiting').map((run) => run.record('PaymentCaptured'))),
    ...at('paying').map((run) => (turn ? run.record('PaymentDeclined', 'cancelled') : capture(run, dies))),
    ...at('voiding').map((run) => undo(run, dies)),
  ]);
}

async function asked(some: readonly OrderRun[], reason: OrderReason | null, call: (requests: ReturnType<OrderRun['telling']>[]) => Promise<Recorded[]>): Promise<Recorded[]> {
  const requests = some.map((run) => run.telling(reason));
  for (const run of some) run.again = async () => void (await call(requests));
  return call(requests);
}

async function capture(run: OrderRun, dies: boolean): Promise<void> {
  const request = { id: run.id, version: run.facts.length + 1, amountCents: run.state.totalCents };
  run.again = async () => void (await payments.capturePayments([request, request]));
  const [answer] = await payments.capturePayments([request]);
  if (!answer || dies) return;
  if ('told' in answer) return run.adopt(answer.told as readonly OrderFact[]);
  if (answer.outcome === 'captured') return run.record('PaymentCaptured');
  return run.record('PaymentDeclined', answer.outcome === 'declined' ? 'declined' : 'refused');
}

async function undo(run: OrderRun, dies: boolean): Promise<void> {
  const answer = await payments.voidPayment({ id: run.id, version: run.facts.length + 1 });
  if (dies) return;
  if ('told' in answer) return run.adopt(answer.told as readonly OrderFact[]);
  if (answer.paymentId) return run.record('PaymentVoided', 'cancelled');
  const [recorded] = await (run.state.reserved ? stock.releaseStock : stock.closeOrders)([run.telling('cancelled')]);
  if (recorded) run.hear(recorded);
}

/** The books at one moment, in one statement: products whose figures do not add up, or disagree with the reservations. */
async function wrongShelves(): Promise<object[]> {
  const { rows } = await db.query<{ id: string; free: number; reserved: number; sold: number; held: number; gone: number }>(
    `SELECT p.id, p.quantity::int AS free, p.reserved::int, p.sold::int,
            COALESCE(sum(i.quantity) FILTER (WHERE r.state = 'held'), 0)::int AS held, COALESCE(sum(i.quantity) FILTER (WHERE r.state = 'sold'), 0)::int AS gone
     FROM products p LEFT JOIN (stock_reservations r CROSS JOIN json_to_recordset(r.items) AS i(product text, quantity int)) ON i.product = p.id
     GROUP BY p.id`,
  );
  return rows.filter(({ id, free, reserved, sold, held, gone }) =>
    free + reserved + sold !== SHELVES[id as keyof typeof SHELVES] || Math.min(free, reserved, sold) < 0 || reserved !== held || sold !== gone);
}

/** Looks at the books again and again until told to stop; the faults that it saw. */
function watch(): { looks: () => number; stop(): Promise<object[]> } {
  let over = false;
  let looks = 0;
  const watching = (async () => {
    const seen: object[] = [];
    do {
      seen.push(...(await wrongShelves()));
      looks += 1;
    } while (!over && seen.length === 0);
    return seen;
  })();
  return { looks: () => looks, stop: () => ((over = true), watching) };
}

const wish: fc.Arbitrary<OrderWish> = fc.record({
  edge: fc.constantFrom('shop' as const, 'gateway' as const),
  items: fc.dictionary(fc.constantFrom('p0', 'p1', 'p2', 'endless'), fc.integer({ min: 1, max: 4 }), { minKeys: 1, maxKeys: 2 }),
  totalCents: fc.constantFrom(100, 113),
  typePaymentId: fc.constantFrom(1, 1, 2),
});
/** Some orders of one of the two runs, and what they do. */
const move = fc.record({
  run: fc.constantFrom(0, 1), orders: fc.uniqueArray(fc.nat(11), { minLength: 4, maxLength: 10 }),
  turn: fc.integer({ min: 0, max: 2 }).map((n) => n === 0), dies: fc.boolean(), again: fc.boolean(),
});
type Move = typeof move extends fc.Arbitrary<infer Value> ? Value : never;
/** Moves of one wave are made at the same time. */
const waves = fc.array(fc.array(move, { minLength: 1, maxLength: 4 }), { minLength: 5, maxLength: 10 });

/** Every way of ending, whatever chance brings: too much is asked, money is taken and not known of, all is well. */
const lost = { run: 0 as const, orders: [1, 2], dies: true, again: false };
const EXAMPLE: [OrderWish[], Move[][]] = [
  Array.from({ length: 12 }, (_, index) => ({ edge: 'shop' as const, items: index === 0 ? { p2: 4 } : { p0: 1 }, totalCents: 100, typePaymentId: 1 })),
  [[{ ...lost, turn: false }], [{ ...lost, turn: false }], [{ ...lost, turn: true }]],
];

let looked = 0;
const endings = new Set<string>();

test('whatever crosses, stock is conserved at every moment and each order ends once', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(wish, { minLength: 12, maxLength: 12 }), waves, async (wishes, moves) => {
      await db.query('TRUNCATE facts, order_view, products, stock_reservations, simulated_payments');
      await stockUp(db, SHELVES);
      const created = wishes.map((one) => createdOrder(one));
      await tellCreated(db, created);
      const runs = [0, 1].map(() => created.map((fact) => new OrderRun(fact.data.orderId, fact)));

      const watched = watch();
      for (const wave of moves) {
        await Promise.all(wave.map(async ({ run, orders, turn, dies, again }) => {
          const some = orders.map((index) => runs[run]![index]!);
          await (again ? Promise.all(some.map((one) => one.again())) : step(some, turn, dies));
        }));
      }
      // Both go to the end, side by side, and neither cancels any more.
      const left = () => runs.flat().filter(({ state }) => state.step !== 'done');
      while (left().length > 0) await Promise.all(runs.map((side) => step(side, false, false)));
      await Promise.all(runs.flat().map((one) => one.again()));
      expect(await watched.stop()).toEqual([]);
      looked += watched.looks();

      for (const { data } of created) await judge(data.orderId);
    }),
    { numRuns: RUNS, examples: [EXAMPLE] },
  );
  // The watcher looked in between, and every way of ending was seen.
  expect(looked).toBeGreaterThan(10 * RUNS);
  expect([...endings].sort()).toEqual(['OrderFailed', 'OrderFailed PaymentVoided', 'OrderPaid']);
}, MINUTES_3);

/** Its facts have one end; what it sold and what was taken for it agree with that. */
async function judge(id: string): Promise<void> {
  const facts = (await factsFrom(db, 'order', id)) as readonly object[] as readonly OrderFact[];
  const ends = facts.filter(({ type }) => type === 'OrderPaid' || type === 'OrderFailed');
  const { rows } = await db.query<{ held: string; money: string | null; captured: boolean | null }>(
    `SELECT r.state AS held, p.state AS money, p.captured FROM stock_reservations r LEFT JOIN simulated_payments p ON p.key = $2 WHERE r.order_id = $1`,
    [id, paymentKey(id)],
  );
  const voided = facts.some(({ type }) => type === 'PaymentVoided');
  const paid = facts.at(-1)?.type === 'OrderPaid';
  const byHand = stateOf(facts.slice(0, 1)).payments.some(({ typePaymentId }) => typePaymentId === 2);
  expect({ ends: ends.length, held: rows[0]?.held, kept: rows[0]?.money === 'captured', voided }).toEqual({
    ends: 1, held: paid ? 'sold' : 'released', kept: paid && !byHand, voided: rows[0]?.money === 'voided' && rows[0].captured === true,
  });
  endings.add([facts.at(-1)?.type, ...(voided ? ['PaymentVoided'] : [])].join(' '));
}
