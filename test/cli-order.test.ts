import { tellFacts } from '../src/facts/tell';
import { order } from '../workflows/order/definition';
import { fold } from '../workflows/kernel/lifecycle';
import type { OrderFact } from '../workflows/order/lifecycle';
import { openApi, type TestApi } from './setup/api';
import { json, openCli, type CliBench } from './setup/cli';
import { fakeProducer, type FakeProducer } from './setup/fake-producer';
import { createdOrder } from './setup/orders';
import { PARTS_TIMEOUT_MS } from './setup/stack';

/** `fazenda order …`: one noun for the story of an order, for placing one and for settling one. */

let cli: CliBench;
let api: TestApi;
let kafka: FakeProducer;
beforeAll(async () => {
  cli = await openCli();
  kafka = fakeProducer();
  const up = async () => undefined;
  api = await openApi({ producer: kafka, checks: { kafka: up, temporal: up, postgres: up }, env: { DATABASE_URL: cli.env.DATABASE_URL ?? '' } });
}, PARTS_TIMEOUT_MS);
afterAll(async () => {
  await api.close();
  await cli.close();
});

const run = (...args: string[]) => cli.run([...args, '--api', api.url]);

/** An order that is paid. */
async function paid(): Promise<string> {
  const created = createdOrder();
  const { orderId, clientId, total } = created.data;
  const closing: OrderFact = { type: 'OrderPaid', version: 2, at: created.at, data: { orderId, clientId, clientName: 'João', status: 'PAGO', total, updatedAt: created.at } };
  for (const facts of [[created], [created, closing]]) {
    await tellFacts(api.db, order, [{ id: orderId, fact: facts.at(-1)!, after: fold(order.lifecycle, facts) }]);
  }
  return orderId;
}

test('create places what it is told to, and says how its story is read', async () => {
  const customer = '06f3bbf9-24ad-4d18-9d0d-7fad5b5f5cbe';
  const outcome = await run('--json', 'order', 'create', '--item', 'SKU-1=2', '--item', 'B=1', '--total', '150.10', '--customer', customer);
  expect(outcome.code).toBe(0);
  const event = { customerId: customer, items: [{ sku: 'SKU-1', quantity: 2 }, { sku: 'B', quantity: 1 }], totalAmount: 150.1 };
  expect(json(outcome)).toMatchObject({ event, status: 'pending' });
  expect(JSON.parse(String(kafka.given.at(-1)?.value))).toMatchObject(event);

  const lines = await run('order', 'create', '--item', 'SKU-1=2', '--total', '150');
  expect(lines.out).toMatch(/^order (\S+) is accepted\nIts story: npx fazenda order \1\n$/);
});

test.each([[['--total', '1']], [['--item', 'a=some', '--total', '1']], [['--item', 'a=1', '--total', 'much']]])('an order of %j is refused by the API', async (options) => {
  expect(await run('order', 'create', ...options)).toMatchObject({ code: 1, err: expect.stringMatching(/^FZ_SCHEMA_INVALID: /) as string });
});

test('pay, cancel and fail say what became of it; what cannot be any more ends with 1', async () => {
  const id = await paid();
  expect(await run('order', 'pay', id)).toMatchObject({ code: 0, out: `order ${id} is PAGO. Its story: npx fazenda order ${id}\n` });
  for (const name of ['cancel', 'fail']) {
    expect(await run('order', name, id)).toMatchObject({ code: 1, err: expect.stringMatching(/^FZ_CONFLICT: .* is PAGO, for good\./) as string });
  }
  expect(await run('order', 'pay', 'nobody')).toMatchObject({ code: 1, err: expect.stringMatching(/^FZ_NOT_FOUND: /) as string });
});

test('the story of an order is told beside them', async () => {
  const id = await paid();
  const { code, out } = await cli.run(['order', id]);
  expect(code).toBe(0);
  expect(out).toMatch(new RegExp(`^order ${id} · paid · .*\ncorrelation .*\n.* PostgreSQL +1 OrderCreated is stored, now pending · .*\n.* PostgreSQL +2 OrderPaid is stored, now paid · .*clientName=João`));
  expect(await cli.run(['order'])).toMatchObject({ code: 1, err: expect.stringMatching(/^FZ_USAGE: /) as string });
});
