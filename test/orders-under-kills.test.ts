import { randomUUID } from 'node:crypto';
import { Kafka, logLevel } from 'kafkajs';
import { judge, readTopics } from './setup/judge';
import { parkedLetters, readMailbox, type SeenLetter } from './setup/letter-box';
import { startSystem, SYSTEM_TIMEOUT_MS, type System } from './setup/system';
import { until } from './setup/until';

/**
 * More orders than there is stock, by several producers, each twice, while worker and notifier are killed:
 * exactly the stock is sold, no order has two ends, and each end is told by letter at most once.
 * The full dose: FAZENDA_ORDERS=1000 FAZENDA_ORDER_KILLS=20 npm test -- orders-under-kills
 */

const ORDERS = Number(process.env.FAZENDA_ORDERS ?? 200);
const KILLS = Number(process.env.FAZENDA_ORDER_KILLS ?? 6);
const PRODUCTS = 20;
const PRODUCERS = 4;
/** Of each product there is stock for half of those who want it. */
const STOCK = Math.floor(ORDERS / PRODUCTS / 2);
const VICTIMS = ['worker', 'notifier', 'ingress', 'dispatcher'];
const FACT_TOPICS = [
  'orders.created', 'inventory.reserved', 'inventory.rejected', 'inventory.released',
  'payments.captured', 'payments.declined', 'payments.voided', 'orders.paid', 'orders.failed',
];

let system: System;
beforeAll(async () => (system = await startSystem({ KAFKA_SESSION_TIMEOUT_MS: '6000' })), SYSTEM_TIMEOUT_MS);
afterAll(async () => {
  await system.stop();
  system.forget();
}, 30_000);

async function call(method: string, path: string, body?: object): Promise<Record<string, unknown>> {
  const init = { method, headers: { 'content-type': 'application/json' }, ...(body && { body: JSON.stringify(body) }) };
  const answer = await fetch(`${system.endpoints.api}${path}`, init);
  if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${await answer.text()}`);
  return (await answer.json()) as Record<string, unknown>;
}

test(`${ORDERS} orders for ${PRODUCTS * STOCK} pieces under ${KILLS} kills: sold is stock, and every end has one letter at most`, async () => {
  const client = await call('POST', '/v1/clients', { name: 'Ana', email: 'ana@test.example', phone: '11999999999', cpf: '12345678909' });
  const products = await Promise.all(
    Array.from({ length: PRODUCTS }, (_, index) => call('POST', '/v1/products', { name: `Product ${index}`, description: '', price: 10, quantity: STOCK })),
  );

  const orders = Array.from({ length: ORDERS }, (_, index) => ({ orderId: randomUUID(), productId: String(products[index % PRODUCTS]?.id) }));
  let sent = 0;
  async function produce(share: number): Promise<void> {
    const producer = new Kafka({ clientId: `shop-${share}`, brokers: system.endpoints.kafka.split(','), logLevel: logLevel.NOTHING }).producer();
    await producer.connect();
    for (let at = share; at < ORDERS; at += PRODUCERS) {
      const { orderId, productId } = orders[at]!;
      const value = JSON.stringify({ orderId, clientId: client.id, items: [{ productId, quantity: 1, price: 10 }], total: 10, payments: [{ typePaymentId: 1, amount: 10 }] });
      await producer.send({ topic: 'orders.create', messages: [{ key: orderId, value }, { key: orderId, value }] });
      sent += 1;
    }
    await producer.disconnect();
  }
  let killed = 0;
  async function kill(): Promise<void> {
    for (let turn = 0; killed < KILLS; turn += 1) {
      const before = await ended();
      if (system.kill(VICTIMS[turn % VICTIMS.length] ?? '')) killed += 1;
      // The next one strikes when there was work in between, or when all of it is done.
      await until(async () => (await ended()) > before || (await ended()) === ORDERS, 'work goes on', 120_000, 200);
    }
  }
  const brokers = system.endpoints.kafka;
  const ends = async () => (await readTopics(brokers, ['orders.paid', 'orders.failed'])).map(({ id }) => id);
  async function ended(): Promise<number> {
    return new Set(await ends()).size;
  }

  await Promise.all([...Array.from({ length: PRODUCERS }, (_, share) => produce(share)), kill()]);
  expect(sent).toBe(ORDERS);
  await until(async () => (await ended()) === ORDERS, 'every order has ended', 300_000, 1_000);

  const seen = await readTopics(brokers, FACT_TOPICS);
  const verdict = judge(seen, orders.map(({ orderId }) => orderId), ['OrderPaid', 'OrderFailed']);
  expect(verdict.faults).toEqual([]);
  expect(verdict.exact).toBe(ORDERS);

  const paid = orders.filter(({ orderId }) => verdict.stories.get(orderId)?.at(-1)?.type === 'OrderPaid');
  for (const product of products) {
    expect(paid.filter(({ productId }) => productId === product.id)).toHaveLength(STOCK);
    expect(await call('GET', `/v1/products/${String(product.id)}`)).toMatchObject({ quantity: 0, reserved: 0, sold: STOCK });
  }

  // A letter whose notifier died over it is parked, whether or not it had arrived; no other is in both places.
  const idsOf = (letters: readonly SeenLetter[]) => letters.map(({ messageId }) => messageId);
  const told = async () => new Set([...idsOf(await readMailbox(system.endpoints)), ...idsOf(await parkedLetters(system.endpoints))]);
  await until(async () => (await told()).size === ORDERS, 'every end is told or parked', 180_000, 1_000);
  const sentIds = idsOf(await readMailbox(system.endpoints));
  expect(new Set(sentIds).size).toBe(sentIds.length);
  for (const { reason } of await parkedLetters(system.endpoints)) expect(reason).toBe('perhaps-sent');
}, 900_000);
