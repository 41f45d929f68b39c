import { randomUUID } from 'node:crypto';
import type { Pool } from 'pg';
import { tellFacts } from '../../src/facts/tell';
import { order } from '../../workflows/order/definition';
import { orderLifecycle, type OrderContext, type OrderFact, type OrderState } from '../../workflows/order/lifecycle';
import { unitsOf } from '../../workflows/order/money';
import type { Fact } from '../../workflows/kernel/fact';
import { fold, type Placed } from '../../workflows/kernel/lifecycle';

/** What a test says of an order; all of it has a default. */
export interface OrderWish {
  readonly id?: string;
  readonly edge?: OrderContext['edge'];
  readonly clientId?: string;
  /** Product or SKU → quantity, one item each. */
  readonly items?: Readonly<Record<string, number>>;
  readonly totalCents?: number;
  /** 2 waits for a settlement. */
  readonly typePaymentId?: number;
}

/** Fact 1 of an order, as its door would make it; one whose edge is `partner` has no context, as a stranger's has none. */
export function createdOrder(
  { id = randomUUID(), edge = 'shop', clientId = 'client-1', items = { p1: 1 }, totalCents = 1_000, typePaymentId = 1 }: OrderWish = {},
  at = new Date().toISOString(),
): Extract<OrderFact, { type: 'OrderCreated' }> {
  const lines = Object.entries(items).map(([productId, quantity]) => ({ productId, quantity, price: 1 }));
  const total = unitsOf(totalCents);
  const context: OrderContext = { edge, payments: [{ typePaymentId, amount: total }] };
  return {
    type: 'OrderCreated', version: 1, at,
    data: { orderId: id, clientId, total, status: 'PENDENTE', items: lines, itemsCount: lines.length, createdAt: at },
    ...(edge !== 'partner' && { context }),
  };
}

/** The state after facts; what an effect is given as `before`. */
export function stateOf(facts: readonly Fact[]): Placed<OrderState> {
  return fold(orderLifecycle, facts as readonly OrderFact[]);
}

/** Stores first facts, all at once. */
export async function tellCreated(db: Pool, created: readonly OrderFact[]): Promise<void> {
  await tellFacts(db, order, created.map((fact) => ({ id: fact.data.orderId, fact, after: stateOf([fact]) })));
}

/** Puts products on the shelves: id → quantity; their SKU is `sku-<id>`. */
export async function stockUp(db: Pool, quantities: Readonly<Record<string, number>>): Promise<void> {
  for (const [id, quantity] of Object.entries(quantities)) {
    await db.query(`INSERT INTO products (id, sku, name, description, price_cents, quantity) VALUES ($1, $2, $1, '', 100, $3)`, [id, `sku-${id}`, quantity]);
  }
}

/** A product's books: free, reserved, sold. */
export async function shelf(db: Pool, product: string): Promise<[free: number, reserved: number, sold: number]> {
  const { rows } = await db.query<Record<'quantity' | 'reserved' | 'sold', string>>('SELECT quantity, reserved, sold FROM products WHERE id = $1', [product]);
  const [row] = rows;
  if (!row) throw new Error(`no product ${product}`);
  return [Number(row.quantity), Number(row.reserved), Number(row.sold)];
}
