import { z } from 'zod';
import type { Domain } from '../kernel/definition';
import { duration } from '../kernel/settings';
import { orderLifecycle, type OrderFact, type OrderFacts, type OrderState } from './lifecycle';
import { ORDER_TABLES } from './tables';
import type { OrderLimits } from './workflow';

const settings = z.object({
  ORDER_PAYMENT_DEADLINE: duration('24h'),
  PAYMENT_CALL_TIMEOUT: duration('30s'),
});
const given = (values: Readonly<Record<string, unknown>>) => values as z.infer<typeof settings>;

/** The data of fact 1, as the kernel hands it back. */
const born = (data: object) => data as OrderFacts['OrderCreated'];

export const order = {
  name: 'order',
  workflow: 'orderWorkflow' as const,
  // The ids aboard are a keyword list, whose JSON may have 2,048 bytes: 52 UUIDs.
  laneSizeMax: 50,
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
  doors: [],
  view: {
    table: 'order_view',
    key: 'id',
    row: (id, state, phase) => ({
      id, status: state.status, created_at: state.createdAt, updated_at: state.movedAt, version: state.version, phase,
      edge: state.edge, client_id: state.clientId, client_name: state.clientName, total_cents: state.totalCents,
      items: state.items, payments: state.payments, payment_id: state.paymentId, reason: state.reason,
    }),
  },
  http: {
    commands: [],
    resources: [],
    queries: [],
    live: { path: '/ws/orders/:id/status', idField: 'orderId' },
  },
  cli: {
    noun: 'order',
    submit: { name: 'order-create', summary: 'Place an order', path: '/orders', options: [], body: () => ({}) },
    endings: { OrderPaid: true, OrderFailed: false },
  },
  settings,
  limits: (values) => ({ paymentDeadlineMs: given(values).ORDER_PAYMENT_DEADLINE, paymentCallTimeoutMs: given(values).PAYMENT_CALL_TIMEOUT }) satisfies OrderLimits,
  waitsAtMostMs: (values) => given(values).ORDER_PAYMENT_DEADLINE,
  display: {
    summary: (data) => `${born(data).itemsCount} items · ${born(data).total}`,
    memo: (data) => ({ clientId: born(data).clientId }),
    searchAttributes: {},
    priority: () => 3,
  },
  tables: ORDER_TABLES,
} satisfies Domain<OrderState, OrderFact>;
