import { z } from 'zod';
import type { Domain } from '../kernel/definition';
import { duration } from '../kernel/settings';
import { orderAnalytics } from './analytics';
import { orderBooks, stockSum } from './books';
import { orderCli } from './cli';
import { orderFacts } from './contracts';
import { createdElsewhere, placed, requested } from './doors';
import { orderHttp } from './http';
import { orderLifecycle, type OrderFact, type OrderFacts, type OrderState } from './lifecycle';
import { orderPlaced, orderRequested } from './messages';
import { centsOf, decimalOf } from './money';
import { orderNotices } from './notices';
import { orderStatistics } from './statistics';
import { ORDER_TABLES } from './tables';
import { orderView } from './view';
import type { OrderLimits } from './workflow';

const settings = z.object({
  ORDER_PAYMENT_DEADLINE: duration('24h'),
  PAYMENT_CALL_TIMEOUT: duration('30s'),
});
const given = (values: Readonly<Record<string, unknown>>) => values as z.infer<typeof settings>;

/** The data of fact 1, as the kernel hands it back. */
const born = (data: object) => data as OrderFacts['OrderCreated'];
const amountOf = (data: object) => decimalOf(centsOf(born(data).total) ?? 0);

export const order = {
  name: 'order',
  workflow: 'orderWorkflow' as const,
  // As many as a lane can list, nearly: a burst of them costs a third less than in lanes of a hundred.
  laneSizeMax: 360,
  lane: 'orderLane' as const,
  lifecycle: orderLifecycle,
  topics: {
    OrderCreated: 'orders.created',
    InventoryReserved: 'inventory.reserved',
    InventoryRejected: 'inventory.rejected',
    InventoryReleased: 'inventory.released',
    PaymentCaptured: 'payments.captured',
    PaymentDeclined: 'payments.declined',
    PaymentVoided: 'payments.voided',
    OrderPaid: 'orders.paid',
    OrderFailed: 'orders.failed',
  },
  contracts: {
    namespace: 'com.fazenda.orders',
    encoding: 'json',
    facts: orderFacts,
    commands: [
      { topic: requested.topic, name: 'OrderRequested', type: 'CreateOrder', schema: orderRequested },
      { topic: placed.topic, name: 'OrderPlaced', type: 'CreateOrder', schema: orderPlaced },
    ],
  },
  doors: [requested, placed, createdElsewhere],
  view: orderView,
  http: orderHttp,
  cli: orderCli,
  settings,
  limits: (values) => ({ paymentDeadlineMs: given(values).ORDER_PAYMENT_DEADLINE, paymentCallTimeoutMs: given(values).PAYMENT_CALL_TIMEOUT }) satisfies OrderLimits,
  waitsAtMostMs: (values) => given(values).ORDER_PAYMENT_DEADLINE,
  display: {
    summary: (data) => `${born(data).itemsCount} items · ${amountOf(data)} · ${born(data).clientId}`,
    memo: (data) => ({ clientId: born(data).clientId, total: amountOf(data) }),
    searchAttributes: { FazendaClient: (data) => born(data).clientId },
    priority: () => 3,
  },
  tables: ORDER_TABLES,
  notices: orderNotices,
  books: orderBooks,
  sums: [stockSum],
  analytics: orderAnalytics,
  statistics: orderStatistics,
} satisfies Domain<OrderState, OrderFact>;
