import { randomUUID } from 'node:crypto';
import { simulatedProvider } from '../../activities/payment/simulated';
import { workflowId } from '../../src/facts/identity';
import { mailUpdate } from '../../workflows/kernel/carry';
import type { Begun } from '../../workflows/kernel/recording';
import { order } from '../../workflows/order/definition';
import { openBench, type Bench } from '../setup/bench';
import { writeHistory } from '../setup/history-file';
import { createdOrder, stockUp, tellCreated, type OrderWish } from '../setup/orders';
import { gated, type Gate } from '../setup/provider';
import { PARTS_TIMEOUT_MS } from '../setup/stack';
import { until } from '../setup/until';

// Records the histories of orders; `record.ts` says when, and how:
//
//     npm test -- --testMatch '**/histories/record-orders.ts'

let bench: Bench;
let workers: { stop(): Promise<void> };
let gate: Gate = {};
beforeAll(async () => {
  bench = await openBench({}, (db) => gated(simulatedProvider(db), () => gate));
  await stockUp(bench.db, { p1: 1_000 });
  workers = await bench.startWorkers();
}, PARTS_TIMEOUT_MS);
afterAll(async () => {
  await workers?.stop();
  await bench?.close();
});
beforeEach(() => (gate = {}));

async function placed(...wishes: OrderWish[]): Promise<string[]> {
  return (await created(...wishes)).map((fact) => fact.data.orderId);
}

async function created(...wishes: OrderWish[]) {
  const facts = wishes.map((wish) => createdOrder(wish));
  await tellCreated(bench.db, facts);
  return facts;
}

/** What the ingress hands over of orders that it has just let in. */
function begun(facts: Awaited<ReturnType<typeof created>>): Begun {
  return { limits: order.limits(order.settings.parse({})), stories: facts.map((first) => ({ id: first.data.orderId, first })) };
}

async function start(workflow: string, name: string, id: string | string[], ...begun: [] | [Begun]) {
  return bench.client.workflow.start(workflow, { workflowId: name, taskQueue: bench.config.TEMPORAL_TASK_QUEUE, args: [id, ...begun] });
}
const startOwn = (id: string) => start(order.workflow, workflowId(order.name, id), id);

async function record(name: string, workflow: string): Promise<void> {
  const handle = bench.client.workflow.getHandle(workflow);
  await handle.result();
  writeHistory(name, await handle.fetchHistory());
}

test.each([
  ['order-paid', {}],
  ['order-declined', { totalCents: 1_013 }],
  ['order-out-of-stock', { items: { p1: 1_001 } }],
] as const)('%s', async (name, wish) => {
  const [id = ''] = await placed(wish);
  await startOwn(id);
  await record(name, workflowId(order.name, id));
});

test.each([['order-settled', 'pay'], ['order-cancelled-while-waiting', 'cancel']] as const)('%s', async (name, type) => {
  const [id = ''] = await placed({ typePaymentId: 2 });
  const handle = await startOwn(id);
  await until(async () => (await bench.db.query(`SELECT FROM order_view WHERE id = $1 AND phase = 'waiting'`, [id])).rowCount === 1, 'it waits');
  await handle.executeUpdate(mailUpdate, { args: [{ id: `${type}-1`, type, data: {} }] });
  await record(name, workflowId(order.name, id));
});

test('order-voided', async () => {
  let asked = 0;
  gate = { after: async (call) => {
    asked += 1;
    if (call === 'capture') throw new Error('the answer was lost');
  } };
  const [id = ''] = await placed({});
  const handle = await startOwn(id);
  await until(() => asked > 1, 'it asks the provider again');
  await handle.executeUpdate(mailUpdate, { args: [{ id: 'cancel-1', type: 'cancel', data: {} }] });
  await record('order-voided', workflowId(order.name, id));
});

// The second one since facts that are stored as they were proposed are answered in one word.
test.each(['order-lane', 'order-lane-told-in-a-word'])('%s', async (recorded) => {
  // One that is paid, one declined, one out of stock, and one that has to wait and leaves.
  const ids = await placed({}, { totalCents: 1_013 }, { items: { p1: 1_001 } }, { typePaymentId: 2 });
  const name = `lane-${randomUUID()}`;
  await start(order.lane, name, ids);
  await record(recorded, name);
});

test('order-begun', async () => {
  const facts = await created({});
  const [{ data: { orderId } }] = facts as [typeof facts[number]];
  await start(order.workflow, workflowId(order.name, orderId), orderId, begun(facts));
  await record('order-begun', workflowId(order.name, orderId));
});

test('order-lane-begun', async () => {
  // The last one was not handed over: the lane opens it.
  const facts = await created({}, { totalCents: 1_013 }, { items: { p1: 1_001 } });
  const name = `lane-${randomUUID()}`;
  await start(order.lane, name, facts.map((fact) => fact.data.orderId), begun(facts.slice(0, -1)));
  await record('order-lane-begun', name);
});
