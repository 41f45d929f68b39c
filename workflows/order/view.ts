import type { View } from '../kernel/definition';
import { instant } from '../kernel/settings';
import type { OrderItem, OrderState, OrderStatus } from './lifecycle';
import { unitsOf } from './money';

/** How an order is kept for readers, and how the readers of each contract see it. */

export const orderView = {
  table: 'order_view',
  key: 'id',
  owner: 'client_id',
  row: (id, state, phase) => ({
    id, status: state.status, created_at: state.createdAt, updated_at: state.movedAt, version: state.version, phase,
    edge: state.edge, client_id: state.clientId, client_name: state.clientName, total_cents: state.totalCents,
    items: state.items, payments: state.payments, payment_id: state.paymentId, reason: state.reason,
  }),
} as const satisfies View<OrderState>;

type Row = Readonly<Record<string, unknown>>;

/** Where an order can be seen to be; before its first fact it is seen by nobody. */
type SeenStatus = Exclude<OrderStatus, 'unknown'>;

const PORTUGUESE: Readonly<Record<SeenStatus, string>> = { pending: 'PENDENTE', paid: 'PAGO', cancelled: 'CANCELADO', failed: 'FALHA' };

export const ENGLISH_STATUSES = Object.keys(PORTUGUESE);
export const PORTUGUESE_STATUSES = Object.values(PORTUGUESE);

/** The status as the view has it, of one as S3 spells it. */
export function englishOf(portuguese: string): string {
  return ENGLISH_STATUSES.find((status) => PORTUGUESE[status as SeenStatus] === portuguese) ?? portuguese;
}

/** What both contracts show, all but the status. Amounts are JSON numbers in units. */
function common(row: Row) {
  const total = unitsOf(Number(row.total_cents));
  return {
    id: row.id, orderId: row.id, clientId: row.client_id, clientName: row.client_name, total,
    payments: row.payments, paymentId: row.payment_id, reason: row.reason, version: row.version,
    createdAt: instant(row.created_at), updatedAt: instant(row.updated_at),
  };
}

/** An order as S1's readers see it: in English, by customer and SKU as well. */
export function inEnglish(row: Row): object {
  const items = row.items as readonly OrderItem[];
  const { total, ...rest } = common(row);
  return {
    ...rest, customerId: row.client_id, status: row.status, total, totalAmount: total,
    items: items.map((item) => ({ sku: item.productId, ...item })), itemsCount: items.length,
  };
}

/** An order as S3's readers see it: in Portuguese. */
export function inPortuguese(row: Row): object {
  const items = row.items as readonly OrderItem[];
  return { ...common(row), status: PORTUGUESE[row.status as SeenStatus], items, itemsCount: items.length };
}
