import type { Book, Sum } from '../kernel/definition';
import type { Fact } from '../kernel/fact';
import type { OrderContext, OrderFact, OrderFacts } from './lifecycle';
import { centsOf } from './money';

/** What an order did beside its view, read from its facts: how its books are made again when their tables were lost. */

type Told = { readonly [Type in keyof OrderFacts]?: Extract<OrderFact, { type: Type }> };

/** Facts by type; of each there is one at most. */
function toldOf(facts: readonly Fact[]): Told {
  return Object.fromEntries((facts as readonly OrderFact[]).map((fact) => [fact.type, fact])) as Told;
}

/**
 * Pieces are moved from what is free, as if nothing had been taken for these orders before. So products have to be
 * back as they were before any of them: by a backup that has its reservations too, or as they were at the beginning.
 */
const reservations: Book = {
  what: 'reservations of stock',
  entry(id, facts) {
    const { OrderCreated, InventoryReserved, InventoryReleased, OrderPaid, OrderFailed } = toldOf(facts);
    const over = OrderPaid ? 'sold' : OrderFailed || InventoryReleased ? 'released' : undefined;
    if (!over && !InventoryReserved) return undefined;
    const context = OrderCreated?.context as OrderContext | undefined;
    return { order_id: id, state: over ?? 'held', shop: context?.edge === 'shop', items: InventoryReserved?.data.items ?? [] };
  },
  sql: `
    WITH given AS (
      SELECT * FROM json_to_recordset($1::json) AS g(order_id text, state text, shop boolean, items json)
    ), ended AS (
      UPDATE stock_reservations r SET state = g.state FROM given g
      WHERE r.order_id = g.order_id AND r.state = 'held' AND g.state <> 'held' RETURNING r.state, r.items
    ), fresh AS (
      SELECT g.* FROM given g WHERE NOT EXISTS (SELECT 1 FROM stock_reservations r WHERE r.order_id = g.order_id)
    ), line AS (
      SELECT f.order_id, f.state, f.shop, i."productId" AS name, COALESCE(named.id, called.id) AS product, sum(i.quantity) AS quantity
      FROM fresh f CROSS JOIN json_to_recordset(f.items) AS i("productId" text, quantity bigint)
      LEFT JOIN products named ON named.id = i."productId"
      LEFT JOIN products called ON called.sku = i."productId" AND named.id IS NULL AND NOT f.shop
      GROUP BY 1, 2, 3, 4, 5
    ), entered AS (
      INSERT INTO stock_reservations (order_id, state, items)
      SELECT f.order_id, f.state, COALESCE((
        SELECT json_agg(json_build_object('product', l.product, 'quantity', l.quantity)) FROM line l WHERE l.order_id = f.order_id AND l.product IS NOT NULL
      ), '[]') FROM fresh f ORDER BY f.order_id ON CONFLICT DO NOTHING
    ), moved AS (
      SELECT product, sum(free) AS free, sum(held) AS held, sum(sold) AS sold FROM (
        SELECT product, -quantity AS free, CASE WHEN state = 'held' THEN quantity ELSE 0 END AS held, CASE WHEN state = 'sold' THEN quantity ELSE 0 END AS sold
        FROM line WHERE product IS NOT NULL AND state <> 'released'
        UNION ALL
        SELECT i.product, CASE WHEN e.state = 'released' THEN i.quantity ELSE 0 END, -i.quantity, CASE WHEN e.state = 'sold' THEN i.quantity ELSE 0 END
        FROM ended e CROSS JOIN json_to_recordset(e.items) AS i(product text, quantity bigint)
      ) movement GROUP BY product
    ), changed AS (
      UPDATE products p SET quantity = GREATEST(p.quantity + m.free, 0), reserved = p.reserved + m.held, sold = p.sold + m.sold
      FROM moved m WHERE p.id = m.product
    )
    SELECT 'product ' || p.id || ' lacks ' || -(p.quantity + m.free) || ' pieces of what was reserved and sold' AS said
    FROM moved m JOIN products p ON p.id = m.product WHERE p.quantity + m.free < 0
    UNION ALL
    SELECT 'order ' || order_id || ' has ' || quantity || ' pieces of product ' || name || ', of which there is no record' FROM line
    WHERE product IS NULL AND shop AND state <> 'released'`,
  // A gateway's item of a product that has no record is in endless stock, and has no line; a shop's always has one.
  differences: `
    WITH due AS (
      SELECT * FROM json_to_recordset($1::json) AS d(order_id text, state text, shop boolean, items json)
    ), told AS (
      SELECT d.order_id, d.shop, i."productId" AS name, sum(i.quantity) AS quantity
      FROM due d CROSS JOIN json_to_recordset(d.items) AS i("productId" text, quantity bigint) GROUP BY 1, 2, 3
    ), line AS (
      SELECT r.order_id, i.product, p.sku, sum(i.quantity) AS quantity
      FROM stock_reservations r CROSS JOIN json_to_recordset(r.items) AS i(product text, quantity bigint)
      LEFT JOIN products p ON p.id = i.product WHERE r.order_id = ANY($2) GROUP BY 1, 2, 3
    ), wrong AS (
      SELECT l.order_id, l.quantity || ' pieces of product ' || l.product || ', the facts say ' || COALESCE(sum(t.quantity), 0) AS said
      FROM line l LEFT JOIN told t ON t.order_id = l.order_id
        AND (t.name = l.product OR (NOT t.shop AND t.name = l.sku AND NOT EXISTS (SELECT FROM products o WHERE o.id = t.name)))
      GROUP BY l.order_id, l.product, l.quantity HAVING COALESCE(sum(t.quantity), 0) <> l.quantity
      UNION ALL
      SELECT t.order_id, 'no pieces of product ' || t.name || ', the facts say ' || t.quantity
      FROM told t WHERE t.shop AND NOT EXISTS (SELECT FROM line l WHERE l.order_id = t.order_id AND l.product = t.name)
    )
    SELECT a.id, r.order_id IS NULL AS missing, CASE
        WHEN r.order_id IS NULL THEN 'there is none, the facts say ' || d.state
        WHEN d.order_id IS NULL THEN 'it is ' || r.state || ', the facts tell of none'
        WHEN r.state <> d.state THEN 'it is ' || r.state || ', the facts say ' || d.state
        ELSE (SELECT string_agg(w.said, '; ' ORDER BY w.said) FROM wrong w WHERE w.order_id = a.id) END AS said
    FROM unnest($2::text[]) AS a(id) LEFT JOIN due d ON d.order_id = a.id LEFT JOIN stock_reservations r ON r.order_id = a.id
    WHERE (d.order_id IS NULL) <> (r.order_id IS NULL) OR r.state <> d.state
       OR (d.order_id IS NOT NULL AND EXISTS (SELECT FROM wrong w WHERE w.order_id = a.id))`,
};

/** What the simulated provider said of an order's payment; a real one keeps its own books. */
const payments: Book = {
  what: 'payments of the simulated provider',
  entry(id, facts) {
    const { PaymentCaptured, PaymentDeclined, PaymentVoided } = toldOf(facts);
    const key = `order/${id}/payment`;
    const told = PaymentVoided ?? PaymentCaptured ?? PaymentDeclined;
    // Settled by hand, or turned away before anything was captured that a fact knows of: nothing of the provider's.
    if (!told?.data.paymentId.startsWith('simulated/')) return undefined;
    const state = PaymentVoided ? 'voided' : PaymentCaptured ? 'captured' : 'declined';
    return { key, payment_id: told.data.paymentId, amount_cents: centsOf(Number(told.data.amount)) ?? 0, state, captured: state !== 'declined' };
  },
  sql: `
    WITH entered AS (
      INSERT INTO simulated_payments (key, payment_id, amount_cents, state, captured)
      SELECT * FROM json_to_recordset($1::json) AS e(key text, payment_id text, amount_cents bigint, state text, captured boolean) ORDER BY key
      ON CONFLICT DO NOTHING
    ) SELECT '' AS said WHERE FALSE`,
};

/** `stocked` is what was ever put on the shelf; where nobody said, only what moved can be reckoned up. */
export const stockSum: Sum = {
  of: 'product',
  sql: `
    WITH moved AS (
      SELECT i.product, sum(i.quantity) FILTER (WHERE r.state = 'held') AS held, sum(i.quantity) FILTER (WHERE r.state = 'sold') AS sold
      FROM stock_reservations r CROSS JOIN json_to_recordset(r.items) AS i(product text, quantity bigint)
      WHERE r.state <> 'released' GROUP BY i.product
    ), reckoned AS (
      SELECT p.*, COALESCE(m.held, 0) AS held_due, COALESCE(m.sold, 0) AS sold_due FROM products p LEFT JOIN moved m ON m.product = p.id
    )
    SELECT id, concat_ws('; ',
      CASE WHEN quantity < 0 OR reserved < 0 OR sold < 0 THEN 'it is below zero: ' || quantity || ' free, ' || reserved || ' reserved, ' || sold || ' sold' END,
      CASE WHEN reserved <> held_due THEN reserved || ' are reserved, orders hold ' || held_due END,
      CASE WHEN sold <> sold_due THEN sold || ' are sold, orders were sold ' || sold_due END,
      CASE WHEN stocked <> quantity + reserved + sold THEN stocked || ' were stocked, ' || quantity || ' free, ' || reserved || ' reserved and ' || sold || ' sold are left of them' END) AS said
    FROM reckoned
    WHERE quantity < 0 OR reserved < 0 OR sold < 0 OR reserved <> held_due OR sold <> sold_due OR stocked <> quantity + reserved + sold`,
};

export const orderBooks: readonly Book[] = [reservations, payments];
