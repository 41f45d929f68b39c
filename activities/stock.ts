import type { Pool } from 'pg';
import type { OrderReason, OrderState } from '../workflows/order/lifecycle';
import type { Placed } from '../workflows/kernel/lifecycle';
import type { Recorded, Telling } from '../workflows/kernel/recording';

export type OrderTelling = Telling<Placed<OrderState>>;

/** Tells a fact that undoes or ends; `reason` is why, null where all went well. */
export type ReasonedTelling = OrderTelling & { readonly reason: OrderReason | null };

/**
 * What an order does to the stock. All local and in bulk, and each made in the transaction of the fact that
 * tells it: where somebody else has told that version, nothing is moved.
 */
export interface StockActivities {
  /** Holds every item of an order, or none: InventoryReserved or InventoryRejected. */
  reserveStock(requests: readonly OrderTelling[]): Promise<Recorded[]>;
  /** Gives back what an order holds: InventoryReleased. */
  releaseStock(requests: readonly ReasonedTelling[]): Promise<Recorded[]>;
  /** Ends an order: sells what it holds and tells OrderPaid, or, with a reason, tells OrderFailed. */
  closeOrders(requests: readonly ReasonedTelling[]): Promise<Recorded[]>;
}

export function stockActivities(_deps: { readonly db: Pool; readonly hint: () => void }): StockActivities {
  const missing = () => Promise.reject(new Error('not there yet'));
  return { reserveStock: missing, releaseStock: missing, closeOrders: missing };
}
