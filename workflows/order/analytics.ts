import type { Analytics, StockMove } from '../kernel/analytics';
import type { OrderFact, StockItem } from './lifecycle';
import { centsOf, decimalOf } from './money';

/** What of an order is counted. */
export const orderAnalytics: Analytics<OrderFact> = {
  reasons(fact) {
    switch (fact.type) {
      case 'InventoryRejected':
        return [fact.data.reason ?? 'out-of-stock'];
      case 'PaymentDeclined':
        return [fact.data.reason ?? 'declined'];
      case 'OrderFailed':
        return [fact.data.status === 'CANCELADO' ? 'cancelled' : 'failed'];
      default:
        return [];
    }
  },
  revenue(fact) {
    const cents = fact.type === 'OrderPaid' ? centsOf(fact.data.total) : undefined;
    return cents === undefined ? undefined : decimalOf(cents);
  },
  stock(fact) {
    if (fact.type === 'InventoryReserved') return moved(fact.data.items, (pieces) => ({ reserved: pieces, released: 0 }));
    return fact.type === 'InventoryReleased' ? moved(fact.data.items, (pieces) => ({ reserved: 0, released: pieces })) : [];
  },
};

/** One move a product, however many lines of an order name it. */
function moved(items: readonly StockItem[], move: (pieces: number) => Omit<StockMove, 'product'>): StockMove[] {
  const pieces = new Map<string, number>();
  for (const { productId, quantity } of items) pieces.set(productId, (pieces.get(productId) ?? 0) + quantity);
  return [...pieces].map(([product, count]) => ({ product, ...move(count) }));
}
