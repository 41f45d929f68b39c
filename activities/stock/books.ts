import type { Queryable } from '../../src/facts/postgres';
import type { Hold, Shelf } from './allot';

/**
 * The stock's books. At any moment what was there = quantity + reserved + sold, of every product. Products are
 * locked by id before anything is moved, so that two batches never wait for each other in a circle.
 */

/** An order and the pieces that it is to hold. */
export interface Reservation {
  readonly orderId: string;
  readonly holds: readonly Hold[];
}

/** An order whose reservation ends: what it held is sold, or goes back. */
export interface Settlement {
  readonly orderId: string;
  readonly state: 'sold' | 'released';
}

/** Locks the products that these names mean, and says which of the orders have a row in the books already. */
export async function lockShelves(
  tx: Queryable, names: { readonly ids: readonly string[]; readonly skus: readonly string[] }, orderIds: readonly string[],
): Promise<{ shelves: readonly Shelf[]; closed: ReadonlySet<string> }> {
  const { rows } = await tx.query<{ shelves: Shelf[] | null; closed: string[] }>(
    `WITH shelf AS (
       SELECT id, sku, quantity AS free FROM products WHERE id = ANY($1) OR sku = ANY($2) ORDER BY id FOR UPDATE
     )
     SELECT (SELECT json_agg(shelf) FROM shelf) AS shelves,
            ARRAY(SELECT order_id FROM stock_reservations WHERE order_id = ANY($3)) AS closed`,
    [names.ids, names.skus, orderIds],
  );
  return { shelves: rows[0]?.shelves ?? [], closed: new Set(rows[0]?.closed) };
}

/**
 * Takes pieces from what is free and holds them for their orders.
 * @throws where an order has a row by now; the whole call can be made again, and will find it.
 */
export async function hold(tx: Queryable, reservations: readonly Reservation[]): Promise<void> {
  if (reservations.length === 0) return;
  const given = reservations.map(({ orderId, holds }) => ({ order_id: orderId, items: holds }));
  const { rows } = await tx.query<{ kept: string }>(
    `WITH kept AS (
       INSERT INTO stock_reservations (order_id, state, items)
       SELECT g.order_id, 'held', g.items FROM json_to_recordset($1::json) AS g(order_id text, items json) ORDER BY g.order_id
       ON CONFLICT DO NOTHING
       RETURNING items
     ), moved AS (
       UPDATE products p SET quantity = p.quantity - t.pieces, reserved = p.reserved + t.pieces
       FROM (SELECT i.product, sum(i.quantity) AS pieces
             FROM kept, json_to_recordset(kept.items) AS i(product text, quantity bigint) GROUP BY i.product) t
       WHERE p.id = t.product
     )
     SELECT count(*) AS kept FROM kept`,
    [JSON.stringify(given)],
  );
  if (Number(rows[0]?.kept) !== reservations.length) throw new Error('an order of this batch was settled while it was being reserved');
}

/** Locks the products of which these orders hold something. */
export async function lockHeld(tx: Queryable, orderIds: readonly string[]): Promise<void> {
  await tx.query(
    `SELECT id FROM products WHERE id IN (
       SELECT i.product FROM stock_reservations r, json_to_recordset(r.items) AS i(product text, quantity bigint)
       WHERE r.order_id = ANY($1) AND r.state = 'held'
     ) ORDER BY id FOR UPDATE`,
    [orderIds],
  );
}

/** Ends reservations; an order that holds nothing gets a row all the same, so that it will never hold anything. */
export async function settle(tx: Queryable, settlements: readonly Settlement[]): Promise<void> {
  const given = settlements.map(({ orderId, state }) => ({ order_id: orderId, state }));
  await tx.query(
    `WITH ended AS (
       INSERT INTO stock_reservations (order_id, state, items)
       SELECT g.order_id, g.state, '[]' FROM json_to_recordset($1::json) AS g(order_id text, state text) ORDER BY g.order_id
       ON CONFLICT (order_id) DO UPDATE SET state = EXCLUDED.state WHERE stock_reservations.state = 'held'
       RETURNING state, items
     )
     UPDATE products p SET reserved = p.reserved - t.sold - t.released, sold = p.sold + t.sold, quantity = p.quantity + t.released
     FROM (SELECT i.product,
                  COALESCE(sum(i.quantity) FILTER (WHERE ended.state = 'sold'), 0) AS sold,
                  COALESCE(sum(i.quantity) FILTER (WHERE ended.state = 'released'), 0) AS released
           FROM ended, json_to_recordset(ended.items) AS i(product text, quantity bigint) GROUP BY i.product) t
     WHERE p.id = t.product`,
    [JSON.stringify(given)],
  );
}

/** The names of clients, by id; one who is missing is unknown. */
export async function clientNames(tx: Queryable, ids: readonly string[]): Promise<ReadonlyMap<string, string>> {
  const { rows } = await tx.query<{ id: string; name: string }>('SELECT id, name FROM clients WHERE id = ANY($1)', [ids]);
  return new Map(rows.map(({ id, name }) => [id, name]));
}
