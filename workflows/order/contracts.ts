import { z } from 'zod';

/**
 * What every fact about an order says. The one place: Avro and JSON schemas, the event catalogue and the types of
 * the story are derived from it. Only ever add fields that may be absent: readers of older records must go on.
 */

const orderId = z.string().describe('the order; the key of the record');
const clientId = z.string();
const units = z.number().describe('in units, exact in cents');
const instant = z.string().describe('ISO 8601 UTC with milliseconds');

const orderItem = z.object({
  productId: z.string(),
  quantity: z.int(),
  price: z.number().nullable().describe('in units; null where the order came without prices'),
}).meta({ title: 'OrderItem' });

/** What of an item the stock is concerned with. */
const stockItem = z.object({ productId: z.string(), quantity: z.int() }).meta({ title: 'StockItem' });

/** `cancelled` and `refused` were asked for, the others happened. */
const reason = z.enum(['cancelled', 'refused', 'deadline', 'declined', 'out-of-stock', 'unknown-product']);

const inventory = z.object({ orderId, items: z.array(stockItem), reason: reason.exactOptional() });
const payment = z.object({
  orderId,
  amount: z.string().describe('decimal, in units, two decimals'),
  paymentId: z.string(),
  reason: reason.exactOptional(),
});
const closing = <Status extends z.ZodType>(status: Status) => z.object({
  orderId, clientId, clientName: z.string().nullable().describe('null where the client is not known'), status, total: units, updatedAt: instant,
});

export const orderFacts = {
  OrderCreated: z.object({
    orderId, clientId, total: units, status: z.literal('PENDENTE'), items: z.array(orderItem), itemsCount: z.int(), createdAt: instant,
  }).describe('An order was accepted, here or by another orders service.'),
  InventoryReserved: inventory.describe('Its items are held for it.'),
  InventoryRejected: inventory.describe('Its items cannot be held.'),
  InventoryReleased: inventory.describe('Its items are free again.'),
  PaymentCaptured: payment.describe('It is paid for.'),
  PaymentDeclined: payment.describe('It will not be paid for.'),
  PaymentVoided: payment.describe('What was captured is given back, and nothing can be captured any more.'),
  OrderPaid: closing(z.literal('PAGO')).describe('The order is paid: its good end.'),
  OrderFailed: closing(z.enum(['CANCELADO', 'FALHA'])).describe('The order came to nothing: cancelled by somebody, or failed. All that was done for it is undone.'),
};
