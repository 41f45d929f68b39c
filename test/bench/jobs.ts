import { randomUUID } from 'node:crypto';
import type { Pool } from 'pg';
import { STEPS } from './steps/lifecycle';

/** A kind of work that every entrant can be given, and how it is known to be done, from the topics alone. */
export interface Job {
  readonly name: 'steps' | 'order';
  /** Where a record asks for it. */
  readonly door: string;
  value(id: string): object;
  /** The topic of each fact that has to come of it, by version; a door that is version 1 itself is named, too. */
  readonly facts: readonly string[];
  /** What has to be in the database before it begins. */
  seed(db: Pool): Promise<void>;
}

const PAYLOAD = 'x'.repeat(100);
const PRODUCTS = 20;
/** Stock that no run uses up: what is measured is reserving, not refusing. */
const PLENTY = 1_000_000_000;
const CUSTOMER = randomUUID();

const steps: Job = {
  name: 'steps',
  door: 'bench.begun',
  value: (jobId) => ({ jobId, payload: PAYLOAD }),
  facts: ['bench.begun', ...Array.from({ length: STEPS }, () => 'bench.step')],
  seed: () => Promise.resolve(),
};

/** S1's order: reserve, capture, close. */
const order: Job = {
  name: 'order',
  door: 'order_created',
  value: (correlationId) => ({
    correlationId, customerId: CUSTOMER, items: [{ sku: skuOf(Number.parseInt(correlationId.slice(0, 8), 16)), quantity: 1 }],
    totalAmount: 149.9, createdAt: new Date().toISOString(),
  }),
  facts: ['orders.created', 'inventory.reserved', 'payments.captured', 'orders.paid'],
  async seed(db) {
    const products = Array.from({ length: PRODUCTS }, (_, index) => ({ id: randomUUID(), sku: skuOf(index), name: `Product ${index}`, description: '', price_cents: 14_990, quantity: PLENTY }));
    await db.query(
      `INSERT INTO products (id, sku, name, description, price_cents, quantity)
       SELECT id, sku, name, description, price_cents, quantity FROM json_populate_recordset(NULL::products, $1::json)`,
      [JSON.stringify(products)],
    );
  },
};

function skuOf(number: number): string {
  return `bench-${number % PRODUCTS}`;
}

export const JOBS: Readonly<Record<Job['name'], Job>> = { steps, order };

/** The topic of the last fact, and how many of its records one piece of work makes. */
export function endOf({ facts }: Job): { topic: string; each: number } {
  const topic = facts.at(-1) ?? '';
  return { topic, each: facts.filter((one) => one === topic).length };
}
