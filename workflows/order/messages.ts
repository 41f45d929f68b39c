import { z } from 'zod';
import { AMOUNT_MAX, centsOf } from './money';

/** What comes in about orders, by each of its contracts; everything that has a size has a bound. */

/** Order, client and product ids and SKUs from outside: 1 to 255 characters. */
const outsideId = z.string().min(1).max(255);

/** One line of text, without what would break it. */
const line = (max: number) => z.string().min(1).max(max).regex(/^[^\u0000-\u001f\u007f\u2028\u2029]*$/, 'holds a control character');

/** An amount in units as JSON writes it, exact in cents. */
export const amount = z.number().min(0).max(AMOUNT_MAX)
  .refine((units) => centsOf(units) !== undefined, 'has more than two decimals')
  .meta({ multipleOf: 0.01 });

const pieces = z.number().int().min(1).max(1_000_000);

const ITEMS_MAX = 500;
const items = <Item extends z.ZodType>(item: Item) => z.array(item).min(1).max(ITEMS_MAX);

/** Bounds a partner's clock to what PostgreSQL and ISO 8601 can both write: the years 1970 to 9999. */
const INSTANT_MS_MAX = 253_402_300_799_999;
const isoInstant = z.iso.datetime({ offset: true });

/** An instant of ISO 8601 with its zone, as we write it: UTC, with milliseconds; undefined for anything else. */
export function instantOf(given: unknown): string | undefined {
  if (!isoInstant.safeParse(given).success) return undefined;
  const at = Date.parse(String(given));
  return at >= 0 && at <= INSTANT_MS_MAX ? new Date(at).toISOString() : undefined;
}

const instant = z.string().max(64).transform((text, context) => {
  const at = instantOf(text);
  if (at !== undefined) return at;
  context.addIssue({ code: 'custom', message: 'is no instant like 2025-12-05T21:15:00.000Z' });
  return z.NEVER;
});

/** `POST /orders` (S1). */
export const gatewayOrder = z.object({
  customerId: z.guid().transform((id) => id.toLowerCase()),
  items: items(z.object({ sku: outsideId, quantity: pieces })),
  totalAmount: amount,
}).meta({
  examples: [{ customerId: '06f3bbf9-24ad-4d18-9d0d-7fad5b5f5cbf', items: [{ sku: 'SKU-1', quantity: 2 }], totalAmount: 150 }],
});
export type GatewayOrder = z.infer<typeof gatewayOrder>;

/** The record on `order_created` (S1), whoever wrote it. Without `createdAt`, it was made when it was sent. */
export const orderRequested = gatewayOrder.extend({ correlationId: outsideId, createdAt: instant.optional() })
  .describe('Somebody orders by S1: paid at once, lines without prices.');
export type OrderRequested = z.infer<typeof orderRequested>;

const shopItem = z.object({ productId: outsideId, quantity: pieces, price: amount });
const payment = z.object({ typePaymentId: z.number().int().min(1).max(1_000_000), amount });

const shopBody = z.object({
  clientId: outsideId,
  items: items(shopItem),
  total: amount,
  payments: z.array(payment).max(100).optional(),
});

/** `POST /v1/orders` (S3). The total is that of its items, and its payments pay it, both to the cent. */
export const shopOrder = shopBody.superRefine(addsUp).meta({
  examples: [{
    clientId: '1', items: [{ productId: '1', quantity: 1, price: 100 }], total: 100, payments: [{ typePaymentId: 1, amount: 100 }],
  }],
});
export type ShopOrder = z.infer<typeof shopOrder>;

/** The record on `orders.create`: the body of S3 with its `orderId`. */
export const orderPlaced = shopBody.extend({ orderId: outsideId }).superRefine(addsUp).describe('Somebody orders by S3.');
export type OrderPlaced = z.infer<typeof orderPlaced>;

/** In whole cents. A sum that a number cannot hold exactly is far above any total that is taken in, so it is told from it. */
function addsUp({ items: lines, total, payments = [] }: z.infer<typeof shopBody>, context: z.RefinementCtx): void {
  const inexact = [total, ...lines.map(({ price }) => price), ...payments.map((one) => one.amount)].some((units) => centsOf(units) === undefined);
  if (inexact || lines.length === 0) return; // Said where it stands.
  const cents = (units: number) => centsOf(units) ?? 0;
  const wrong = (path: string, message: string) => context.addIssue({ code: 'custom', path: [path], message });
  const priced = lines.reduce((sum, { price, quantity }) => sum + cents(price) * quantity, 0);
  if (priced !== cents(total)) wrong('total', 'is not the sum of price × quantity');
  const paid = payments.reduce((sum, one) => sum + cents(one.amount), 0);
  if (payments.length > 0 && paid !== cents(total)) wrong('payments', 'do not add up to the total');
}

/**
 * A partner's record on `orders.created` (S3). Its sums are its own affair, and so is what it left out; only
 * what we pay has to be exact.
 */
export const partnerOrder = z.object({
  orderId: outsideId,
  clientId: outsideId,
  total: amount,
  items: items(z.object({ productId: outsideId, quantity: pieces, price: amount.nullish() })),
  itemsCount: z.number().int().min(0).max(1_000_000_000).nullish(),
  createdAt: z.unknown().optional(),
});
export type PartnerOrder = z.infer<typeof partnerOrder>;

/** `PATCH /v1/orders/:id` (S3). */
export const settlement = z.object({ status: z.enum(['PAGO', 'CANCELADO', 'FALHA']) }).meta({ examples: [{ status: 'PAGO' }] });
export type Settlement = z.infer<typeof settlement>;

/** `POST /v1/clients` (S3). */
export const newClient = z.object({
  name: line(255),
  email: z.email().max(254),
  phone: line(40),
  cpf: z.string().max(40).transform((given) => given.replaceAll(/[.\-/\s]/g, '')).refine(isCpf, 'is no CPF: its check digits do not fit'),
}).meta({ examples: [{ name: 'João', email: 'joao@test.com', phone: '11999999999', cpf: '12345678909' }] });
export type NewClient = z.infer<typeof newClient>;

/** Eleven digits, not all the same, of which the last two check those before them by weights modulo 11. */
function isCpf(digits: string): boolean {
  if (!/^\d{11}$/.test(digits) || /^(\d)\1*$/.test(digits)) return false;
  const check = (length: number) => {
    const sum = [...digits.slice(0, length)].reduce((total, digit, at) => total + Number(digit) * (length + 1 - at), 0);
    return ((sum * 10) % 11) % 10;
  };
  return check(9) === Number(digits[9]) && check(10) === Number(digits[10]);
}

/** `POST /v1/products` (S3); `quantity` is what is there to sell, `sku` a name of its own beside the id. */
export const newProduct = z.object({
  name: line(255),
  description: z.string().max(4_000),
  price: amount,
  quantity: z.number().int().min(0).max(1_000_000_000),
  sku: outsideId.optional(),
}).meta({ examples: [{ name: 'Produto', description: 'Desc', price: 100, quantity: 10 }] });
export type NewProduct = z.infer<typeof newProduct>;
