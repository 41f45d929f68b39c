import { randomUUID } from 'node:crypto';
import { laneWorkflowId, workflowId } from '../src/facts/identity';
import { factsFrom } from '../src/facts/read';
import { startLane } from '../src/temporal/start';
import { order } from '../workflows/order/definition';
import { openBench, type Bench } from './setup/bench';
import { createdOrder, tellCreated } from './setup/orders';
import { PARTS_TIMEOUT_MS } from './setup/stack';

/** Whoever runs a story hears of its end at once, and of no other's; what follows from that is in lanes-fill-by-back-pressure. */

let bench: Bench;
beforeAll(async () => (bench = await openBench()), PARTS_TIMEOUT_MS);
afterAll(() => bench?.close());

test('the end of a story is heard in the process that runs it, when its last fact is stored', async () => {
  const [id, other] = [randomUUID(), randomUUID()] as [string, string];
  const [mine, theirs, nobody] = [id, other, randomUUID()].map((one) => bench.endings.of(workflowId('content', one)));
  let heard = 0;
  void Promise.race([theirs!.over, nobody!.over]).then(() => (heard += 1));
  const workers = await bench.startWorkers();
  try {
    await bench.begin({}, id);
    await mine!.over;
    expect((await bench.facts(id)).at(-1)?.type).toBe('ContentStored');
    expect(heard).toBe(0);

    theirs!.forget();
    await bench.begin({}, other);
    await bench.ended(other);
    expect(heard).toBe(0);
  } finally {
    await workers.stop();
  }
}, 60_000);

test('the end of a lane is heard so, when the last facts of all that are aboard are stored', async () => {
  const created = [createdOrder(), createdOrder()];
  await tellCreated(bench.db, created);
  const aboard = created.map(({ data }) => ({ id: data.orderId, data, correlationId: data.orderId }));
  const lane = bench.endings.of(laneWorkflowId('order', aboard.map(({ id }) => id)));
  const workers = await bench.startWorkers();
  try {
    await startLane(bench.client, bench.config, order, aboard);
    await lane.over;
    for (const { id } of aboard) expect((await factsFrom(bench.db, 'order', id)).at(-1)?.type).toMatch(/^Order(Paid|Failed)$/);
  } finally {
    await workers.stop();
  }
}, 60_000);
