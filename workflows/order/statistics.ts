import type { Statistics } from '../kernel/statistics';
import type { OrderFact } from './lifecycle';

/** What is counted of orders, by windows of time. */
export const orderStatistics: Statistics<OrderFact['type']> = {
  stream: 'orders',
  measures: {
    created: { kind: 'count', of: ['OrderCreated'], says: 'orders that were accepted' },
    paid: { kind: 'count', of: ['OrderPaid'], says: 'orders that were paid' },
    failed: { kind: 'count', of: ['OrderFailed'], says: 'orders that came to nothing' },
    inFlightChange: { kind: 'change', plus: ['OrderCreated'], minus: ['OrderPaid', 'OrderFailed'], says: 'how many more orders were accepted than ended' },
    failedBy: {
      kind: 'tally', of: ['OrderFailed'], field: 'reason', says: 'failed orders by reason',
      // As the lifecycle folds it: the last that was said, and where nothing had to be undone, what was asked for.
      story: {
        unsaid: { InventoryRejected: 'out-of-stock', PaymentDeclined: 'declined' },
        otherwise: { field: 'status', values: { CANCELADO: 'cancelled', FALHA: 'refused' } },
      },
    },
    revenue: { kind: 'amount', of: ['OrderPaid'], field: 'total', decimals: 2, says: 'total of the orders paid, in units, two decimals, exact' },
    itemsSold: { kind: 'quantity', of: ['OrderPaid'], list: 'items', field: 'quantity', says: 'items of the orders paid' },
    endMs: { kind: 'duration', of: ['OrderPaid', 'OrderFailed'], says: 'from accepted to paid or failed, of the orders ended: p50, p95 and max, ms; null where there are none' },
  },
};
