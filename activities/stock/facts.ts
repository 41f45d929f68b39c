import type { OrderFact } from '../../workflows/order/lifecycle';
import { unitsOf } from '../../workflows/order/money';
import type { ReasonedTelling } from '../stock';

/** What an order does to the stock, told. */
export function inventoryFact(type: `Inventory${string}` & OrderFact['type'], { id, version, at, before, reason }: ReasonedTelling): OrderFact {
  const items = before.items.map(({ productId, quantity }) => ({ productId, quantity }));
  return { type, version, at, data: { orderId: id, items, ...(reason && { reason }) } };
}

/** How an order ends: only one whose payment was captured is paid, and nothing unpays it. */
export function closingFact({ id, version, at, before, reason }: ReasonedTelling, clientName: string | null): OrderFact {
  const total = unitsOf(before.totalCents);
  const whose = { orderId: id, clientId: before.clientId, clientName };
  if (before.step === 'closing') return { type: 'OrderPaid', version, at, data: { ...whose, status: 'PAGO', total, updatedAt: at } };
  const status = reason === 'cancelled' ? 'CANCELADO' : 'FALHA';
  return { type: 'OrderFailed', version, at, data: { ...whose, status, total, updatedAt: at } };
}
