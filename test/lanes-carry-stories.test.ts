import { randomUUID } from 'node:crypto';
import { WithStartWorkflowOperation } from '@temporalio/client';
import { defineSearchAttributeKey, SearchAttributeType } from '@temporalio/common';
import { admitStarts, startAlone } from '../src/ingress/admit';
import { openLanes } from '../src/ingress/lanes';
import { RunTeller } from '../src/audit/told-runs';
import { openLog } from '../src/log';
import { factsFrom, type StoredFact } from '../src/facts/read';
import { runLines } from '../src/path/runs';
import { ABOARD_ATTRIBUTES } from '../src/temporal/attributes';
import { sweep } from '../src/sweeper/sweeper';
import type { Domain } from '../workflows/kernel/definition';
import { order } from '../workflows/order/definition';
import { openBench, type Bench } from './setup/bench';
import { PARTS_TIMEOUT_MS } from './setup/stack';
import { until } from './setup/until';

/** Whatever happens aboard a lane, each story is told as if it had been alone: on a real Temporal and PostgreSQL. */

let bench: Bench;
beforeAll(async () => (bench = await openBench({ TEMPORAL_WORKFLOW_TASK_TIMEOUT_MS: '2000' })), PARTS_TIMEOUT_MS);
afterAll(() => bench.close());

const PAID = ['OrderCreated', 'InventoryReserved', 'PaymentCaptured', 'OrderPaid'];
const ABOARD = ABOARD_ATTRIBUTES.map((name) => defineSearchAttributeKey(name, SearchAttributeType.KEYWORD_LIST));
const LARGE = 'x'.repeat(200);

function startOf(id: string, { items = [{ productId: 'SKU-1', quantity: 1, price: 10 }], total = 10, payments = [] as object[], edge = 'gateway' } = {}) {
  const data = { orderId: id, clientId: 'client-1', total, status: 'PENDENTE', items, itemsCount: items.length, createdAt: new Date().toISOString() };
  const fact = { type: 'OrderCreated', version: 1, at: data.createdAt, data, context: { edge, payments } };
  const origin = { place: 'order_created/0/0', correlationId: id, traceparent: undefined, published: false };
  const record = { topic: 'order_created', partition: 0, offset: '0', key: Buffer.from(id), value: null, headers: {}, rawHeaders: {}, timestamp: 0 };
  return { kind: 'start' as const, id, fact, origin, record };
}

const ids = (count: number, prefix = '') => Array.from({ length: count }, () => `${prefix}${randomUUID()}`);

/** Lets orders in as the doors do, at most two lanes open. */
async function letIn(starts: readonly ReturnType<typeof startOf>[], domain: Domain = order): Promise<void> {
  const { config, db, client } = bench;
  const deps = { config: { ...config, LANES_OPEN_MAX: 2 }, db, temporal: client, hint: () => undefined, log: openLog(config, 'lanes') };
  await admitStarts({ ...deps, start: openLanes(deps, startAlone(deps)) }, domain, starts);
}

const factsOf = (id: string): Promise<StoredFact[]> => factsFrom(bench.db, order.name, id);
const typesOf = async (id: string) => (await factsOf(id)).map((fact) => fact.type);
async function over(wanted: readonly string[], limitMs = 30_000): Promise<void> {
  const left = async () => (await bench.db.query<{ left: number }>(`SELECT count(*)::int AS left FROM unnest($1::text[]) AS w(id) WHERE NOT EXISTS (SELECT FROM order_view v WHERE v.id = w.id AND phase = 'done')`, [wanted])).rows[0]?.left;
  await until(async () => (await left()) === 0, `${wanted.length} orders are over`, limitMs);
}

async function lanes(): Promise<{ workflowId: string; runId: string; aboard: string[] }[]> {
  const found = [];
  for await (const { workflowId, runId, typedSearchAttributes, type } of bench.client.workflow.list()) {
    if (type === 'orderLane') found.push({ workflowId, runId, aboard: ABOARD.flatMap((key) => typedSearchAttributes.get(key) ?? []) });
  }
  return found;
}

test('two hundred orders ride in lanes of a hundred, and each is told whole', async () => {
  const workers = await bench.startWorkers();
  try {
    const orders = ids(200);
    await letIn(orders.map((id) => startOf(id)), { ...order, laneSizeMax: 100 });
    await over(orders);
    for (const id of orders) expect(await typesOf(id)).toEqual(PAID);
    await until(async () => (await lanes()).length === 2, 'two lanes are listed');
    expect((await lanes()).flatMap(({ aboard }) => aboard).sort()).toEqual([...orders].sort());
    // One workflow task carries a lane: started, scheduled, started, completed, its markers, completed.
    const [lane] = await lanes();
    const history = await bench.client.workflow.getHandle(lane!.workflowId).fetchHistory();
    expect(history.events!.length).toBeLessThan(20);
  } finally {
    await workers.stop();
  }
});

test('who rides in a lane that is too full for ids is found aboard it, and nobody else', async () => {
  const [orders, [stranger = '']] = [ids(150), ids(1)];
  await letIn(orders.map((id) => startOf(id)), { ...order, laneSizeMax: 150 });
  const runs = new RunTeller(bench.client, order);
  await until(async () => (await runs.listAll(), runs.of(orders[0] ?? '').aboard), 'the lane is listed');
  expect(orders.filter((id) => !runs.of(id).aboard)).toEqual([]);
  expect(runs.of(stranger).aboard).toBe(false);
  const lines = await runLines(bench.client, order, orders[149] ?? '');
  expect(lines.map(({ text }) => text)).toEqual([expect.stringContaining('it runs in a lane: lane/order/')]);
  expect(await runLines(bench.client, order, stranger)).toEqual([]);
  const workers = await bench.startWorkers();
  try {
    await over(orders);
  } finally {
    await workers.stop();
  }
});

test('what is handed over need not be opened; who has mail is, and what was handed over too late is told as it is', async () => {
  const opened: string[] = [];
  const workers = await bench.startWorkers((name, args, run) => {
    if (name === 'openStories') opened.push(...(args[1] as string[]));
    return run();
  });
  try {
    const [alone = '', other = '', mailed = '', late = ''] = ids(4);
    await bench.db.query(`INSERT INTO mail (aggregate_type, aggregate_id, mail_id, type, data) VALUES ('order', $1, 'mail-1', 'cancel', '{}')`, [mailed]);
    await letIn([startOf(alone)]);
    await letIn([startOf(other), startOf(mailed)]);
    await over([alone, other, mailed]);
    expect(opened).toEqual([mailed]);
    expect([await typesOf(alone), await typesOf(other), (await typesOf(mailed)).at(-1)]).toEqual([PAID, PAID, 'OrderFailed']);

    const start = startOf(late);
    await letIn([start]);
    await over([late]);
    const begun = { limits: order.limits(order.settings.parse({})), stories: [{ id: late, first: start.fact }] };
    const again = await bench.client.workflow.start('orderLane', { workflowId: `lane/order/${late}`, taskQueue: bench.config.TEMPORAL_TASK_QUEUE, args: [[late], begun] });
    expect(await again.result()).toEqual({ finished: 1, left: 0 });
    expect(await typesOf(late)).toEqual(PAID);
  } finally {
    await workers.stop();
  }
});

test('whoever has to wait for a settlement leaves, and is answered by its own workflow', async () => {
  const workers = await bench.startWorkers();
  try {
    const orders = ids(20);
    const waiting = orders.filter((_, index) => index % 4 === 0);
    await letIn(orders.map((id) => startOf(id, waiting.includes(id) ? { payments: [{ typePaymentId: 2, amount: 10 }] } : {})));
    await over(orders.filter((id) => !waiting.includes(id)));
    for (const id of waiting) {
      await until(async () => (await typesOf(id)).length === 2, 'it waits');
      const verdict = await bench.client.workflow.getHandle(`order/${id}`).executeUpdate('ask', { args: [{ id: `pay-${id}`, type: 'pay', data: {} }] });
      expect(verdict).toBe('granted');
      expect(await typesOf(id)).toEqual(PAID);
    }
  } finally {
    await workers.stop();
  }
});

test('an order that is asked while it is aboard is answered at once, and told once', async () => {
  let release = () => {};
  const held = new Promise<void>((resolve) => (release = resolve));
  let first = true;
  const workers = await bench.startWorkers(async (name, args, run) => {
    // The lane stands before the provider; the order's own workflow, which the question starts, comes past.
    if (name === 'capturePayments' && (args[0] as unknown[]).length > 1 && first) {
      first = false;
      await held;
    }
    return run();
  });
  try {
    const orders = ids(10);
    const [asked, ...others] = orders;
    await letIn(orders.map((id) => startOf(id)));
    await until(async () => (await typesOf(asked!)).length === 2, 'the lane has reserved');
    const start = new WithStartWorkflowOperation('orderWorkflow', {
      workflowId: `order/${asked}`, taskQueue: bench.config.TEMPORAL_TASK_QUEUE, args: [asked!], workflowIdConflictPolicy: 'USE_EXISTING',
    });
    const verdict = await bench.client.workflow.executeUpdateWithStart('ask', { args: [{ id: 'c', type: 'cancel', data: {} }], startWorkflowOperation: start });
    expect(verdict).toBe('granted');
    release();
    await over(orders);
    expect(await typesOf(asked!)).toEqual(['OrderCreated', 'InventoryReserved', 'PaymentDeclined', 'InventoryReleased', 'OrderFailed']);
    for (const id of others) expect(await typesOf(id)).toEqual(PAID);
  } finally {
    release();
    await workers.stop();
  }
});

test('an order that cannot be told for its data leaves alone, and takes nobody with it', async () => {
  const bad = randomUUID();
  const workers = await bench.startWorkers(async (name, args, run) => {
    if (name === 'reserveStock') for (const one of args[0] as { id: string; before: { clientId: string } }[]) if (one.id === bad) one.before.clientId = 'no\u0000body';
    return run();
  });
  try {
    const good = ids(10);
    await letIn([...good.slice(0, 5), bad, ...good.slice(5)].map((id) => startOf(id)));
    await over(good);
    expect(await typesOf(bad)).toEqual(['OrderCreated']);
    await until(async () => (await bench.client.workflow.getHandle(`order/${bad}`).describe()).status.name === 'FAILED', 'its own workflow says why');
  } finally {
    await workers.stop();
  }
});

/** Loses all facts of one story, as a database that came back by an old backup has; gives what brings them back. */
async function lose(id: string): Promise<() => Promise<unknown>> {
  const { rows } = await bench.db.query<{ lost: object }>('WITH gone AS (DELETE FROM facts WHERE aggregate_id = $1 RETURNING *) SELECT to_json(gone) AS lost FROM gone', [id]);
  const columns = 'aggregate_type, aggregate_id, version, ce_id, type, topic, payload, context, at, correlation_id, causation_id, traceparent, origin, published_at';
  return () => bench.db.query(`INSERT INTO facts (${columns}) SELECT ${columns} FROM json_populate_recordset(NULL::facts, $1)`, [JSON.stringify(rows.map(({ lost }) => lost))]);
}

test('of a lane, only the order whose first fact was lost waits, and goes on once it is recovered', async () => {
  let release = () => {};
  const held = new Promise<void>((resolve) => (release = resolve));
  const workers = await bench.startWorkers(async (name, args, run) => {
    if (name === 'capturePayments' && (args[0] as unknown[]).length > 1) await held;
    return run();
  });
  try {
    const before = new Set((await lanes()).map(({ workflowId }) => workflowId));
    const orders = ids(10);
    const [lost = '', ...others] = orders;
    await letIn(orders.map((id) => startOf(id)));
    await until(async () => (await typesOf(lost)).length === 2, 'the lane has reserved');
    const recover = await lose(lost);
    release();
    await over(others);
    for (const id of others) expect(await typesOf(id)).toEqual(PAID);
    const lane = (await lanes()).find(({ workflowId }) => !before.has(workflowId));
    expect(await bench.client.workflow.getHandle(lane!.workflowId).result()).toEqual({ finished: 9, left: 1 });
    expect(await typesOf(lost)).toEqual([]);
    await recover();
    const { config, db, client } = bench;
    await sweep({ config: { ...config, STUCK_AFTER_MS: 1 }, db, temporal: client, log: openLog(config, 'sweeper') }, order);
    await over([lost]);
    expect(await typesOf(lost)).toEqual(PAID);
  } finally {
    release();
    await workers.stop();
  }
});

test('a lane that was terminated orphans nobody', async () => {
  let hold = true;
  const workers = await bench.startWorkers(async (name, _args, run) => {
    if (hold && name === 'capturePayments') await until(() => !hold, 'let go', 60_000);
    return run();
  });
  try {
    const before = new Set((await lanes()).map(({ workflowId }) => workflowId));
    const orders = ids(30);
    await letIn(orders.map((id) => startOf(id)));
    await until(async () => (await typesOf(orders[0]!)).length === 2, 'the lane has reserved');
    await until(async () => (await lanes()).length > before.size, 'the lane is listed');
    for (const { workflowId } of await lanes()) if (!before.has(workflowId)) await bench.client.workflow.getHandle(workflowId).terminate('test');
    hold = false;
    const { config, db, client } = bench;
    const log = openLog(config, 'sweeper');
    await until(async () => (await sweep({ config: { ...config, STUCK_AFTER_MS: 500 }, db, temporal: client, log }, order)) === 0, 'nothing is left to sweep', 30_000);
    await over(orders);
    for (const id of orders) expect(await typesOf(id)).toEqual(PAID);
  } finally {
    hold = false;
    await workers.stop();
  }
});

test('thirty orders too large to be opened together are all told', async () => {
  const workers = await bench.startWorkers();
  try {
    const items = Array.from({ length: 400 }, (_, index) => ({ productId: `${index}-${LARGE}`, quantity: 1, price: 0.01 }));
    const orders = ids(30);
    await letIn(orders.map((id) => startOf(id, { items, total: 4 })));
    await over(orders, 60_000);
    for (const id of orders) expect(await typesOf(id)).toEqual(PAID);
  } finally {
    await workers.stop();
  }
}, 90_000);
