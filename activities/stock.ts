import type { Pool } from 'pg';
import type { Hint } from '../src/facts/hint';
import { order } from '../workflows/order/definition';
import type { OrderFact, OrderReason, OrderState } from '../workflows/order/lifecycle';
import type { Placed } from '../workflows/kernel/lifecycle';
import type { Recorded, Telling } from '../workflows/kernel/recording';
import { Allotter } from './stock/allot';
import { clientNames, hold, lockHeld, lockShelves, settle, type Reservation, type Settlement } from './stock/books';
import { closingFact, inventoryFact } from './stock/facts';
import { tellEffects, type ToldEffect } from './told-effects';

export type OrderTelling = Telling<Placed<OrderState>>;

/** Tells a fact that undoes or ends; `reason` is why, null where all went well. */
export type ReasonedTelling = OrderTelling & { readonly reason: OrderReason | null };

/**
 * What an order does to the stock. All local and in bulk, and each made in the transaction of the fact that
 * tells it: where somebody else has told that version, nothing is moved. What an order held is moved once,
 * by the row that says so, whatever its story claims.
 */
export interface StockActivities {
  /** Holds every item of an order, or none: InventoryReserved or InventoryRejected. */
  reserveStock(requests: readonly OrderTelling[]): Promise<Recorded[]>;
  /** Gives back what an order holds: InventoryReleased. */
  releaseStock(requests: readonly ReasonedTelling[]): Promise<Recorded[]>;
  /** Ends an order: sells what it holds and tells OrderPaid, or, with a reason, gives it back and tells OrderFailed. */
  closeOrders(requests: readonly ReasonedTelling[]): Promise<Recorded[]>;
}

export function stockActivities(deps: { readonly db: Pool; readonly hint: Hint }): StockActivities {
  return {
    reserveStock: (requests) => tellEffects(deps, order, requests, reserving),
    releaseStock: (requests) => tellEffects(deps, order, requests, releasing),
    closeOrders: (requests) => tellEffects(deps, order, requests, closing),
  };
}

const reserving: ToldEffect<OrderTelling, { readonly fact: OrderFact; readonly reservation?: Reservation }> = {
  async decide(tx, requests) {
    const named = (some: readonly OrderTelling[]) => some.flatMap(({ before }) => before.items.map(({ productId }) => productId));
    const names = { ids: named(requests), skus: named(requests.filter(({ before }) => before.edge !== 'shop')) };
    const { shelves, closed } = await lockShelves(tx, names, requests.map(({ id }) => id));
    const allotter = new Allotter(shelves);
    return requests.map((request) => {
      const allotted = closed.has(request.id) ? CLOSED : allotter.allot(request.before);
      if ('reason' in allotted) return { fact: inventoryFact('InventoryRejected', { ...request, reason: allotted.reason }) };
      return { fact: inventoryFact('InventoryReserved', { ...request, reason: null }), reservation: { orderId: request.id, holds: allotted.holds } };
    });
  },
  make: (tx, decisions) => hold(tx, decisions.flatMap(({ reservation }) => reservation ?? [])),
};

/** Undoing closes an order's stock for ever: whoever comes to reserve after that is turned away. */
const CLOSED = { reason: 'refused' } as const;

interface Ending {
  readonly fact: OrderFact;
  readonly settlement: Settlement;
}

const releasing: ToldEffect<ReasonedTelling, Ending> = {
  async decide(tx, requests) {
    await lockHeld(tx, requests.map(({ id }) => id));
    return requests.map((request) => ({ fact: inventoryFact('InventoryReleased', request), settlement: { orderId: request.id, state: 'released' } }));
  },
  make: (tx, endings) => settle(tx, endings.map(({ settlement }) => settlement)),
};

const closing: ToldEffect<ReasonedTelling, Ending> = {
  async decide(tx, requests) {
    const names = await clientNames(tx, requests.map(({ before }) => before.clientId));
    await lockHeld(tx, requests.map(({ id }) => id));
    return requests.map((request) => {
      const fact = closingFact(request, names.get(request.before.clientId) ?? null);
      return { fact, settlement: { orderId: request.id, state: fact.type === 'OrderPaid' ? 'sold' : 'released' } };
    });
  },
  make: releasing.make,
};
