import type { Producer } from 'kafkajs';
import type { Pool } from 'pg';

interface Item { readonly sku: string; readonly quantity: number }

/** Each activity does its work, if it has any, and sends one message: no key, no outbox, no second look. */
export function naiveActivities(producer: Producer, db: Pool, prefix: string) {
  const send = async (topic: string, id: string, version: number, body: object): Promise<void> => {
    await producer.send({
      topic: `${prefix}${topic}`,
      messages: [{ key: id, value: JSON.stringify({ id, ...body, at: new Date().toISOString() }), headers: { ce_sequence: String(version) } }],
    });
  };
  return {
    step: (id: string, version: number) => send('bench.step', id, version, { step: version - 1 }),
    createOrder: (id: string, request: object) => send('orders.created', id, 1, request),
    async reserve(id: string, items: readonly Item[]) {
      for (const { sku, quantity } of items) await db.query('UPDATE products SET quantity = quantity - $2, reserved = reserved + $2 WHERE sku = $1', [sku, quantity]);
      await send('inventory.reserved', id, 2, { items });
    },
    async capture(id: string, amount: number) {
      await db.query('INSERT INTO simulated_payments (key, payment_id, amount_cents, state, captured) VALUES ($1, $1, $2, $3, true)', [id, Math.round(amount * 100), 'captured']);
      await send('payments.captured', id, 3, { amount });
    },
    close: (id: string) => send('orders.paid', id, 4, { status: 'PAGO' }),
  };
}

export type NaiveActivities = ReturnType<typeof naiveActivities>;
