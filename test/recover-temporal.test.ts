import { randomUUID } from 'node:crypto';
import { factsFrom, type StoredFact } from '../src/facts/read';
import { connectTemporal } from '../src/temporal/connect';
import { readConfig } from '../src/config';
import { openLog } from '../src/log';
import { recoverTemporal } from '../src/recover/temporal';
import { createActivities } from '../activities';
import { openActivityWorker, openWorkflowWorker } from '../src/temporal/worker';
import { openBackbone, type Backbone } from './setup/backbone';
import { PARTS_TIMEOUT_MS } from './setup/stack';
import { until } from './setup/until';

/**
 * Temporal is lost whole: in a namespace that nobody has made yet, what is not over goes on from where its facts
 * are, and what is over stays over. No fact changes, no stock moves twice, no payment is captured twice.
 * The full dose: FAZENDA_RECOVER_STORIES=1000 npm test -- recover-temporal
 */

const EACH = Math.ceil(Number(process.env.FAZENDA_RECOVER_STORIES ?? 30) / 3);

let backbone: Backbone;
beforeAll(async () => (backbone = await openBackbone()), PARTS_TIMEOUT_MS);
afterAll(() => backbone.close());

const bytesOf = ({ ceId, type, version, payload, at, correlationId, causationId }: StoredFact) => JSON.stringify({ ceId, type, version, payload, at, correlationId, causationId });

test('stories go on in a new namespace from where they were', async () => {
  const { bench } = backbone;
  const { db } = bench;
  let stop = await backbone.run();
  const over = [...await backbone.tasks(EACH), ...await backbone.orders(EACH)];
  const waiting = await backbone.orders(EACH, { typePaymentId: 2 });
  await backbone.reach(over, undefined, 600_000);
  await backbone.reach(waiting, 2);
  await stop();
  stop = await backbone.run({ workers: false, relay: false });
  const begun = [...await backbone.tasks(EACH), ...await backbone.orders(EACH)];
  await until(async () => (await db.query('SELECT 1 FROM facts WHERE aggregate_id = ANY($1)', [begun])).rowCount === begun.length, 'they are taken in');
  await stop();
  const storyOf = async (id: string) => [...(await factsFrom(db, 'content', id)), ...(await factsFrom(db, 'order', id))];
  const told = new Map(await Promise.all([...over, ...waiting, ...begun].map(async (id) => [id, (await storyOf(id)).map(bytesOf)] as const)));
  // One of those that wait was paid meanwhile; its mail lies in PostgreSQL, and no run is there to be told.
  await db.query("INSERT INTO mail (aggregate_type, aggregate_id, mail_id, type, data) VALUES ('order', $1, 'm', 'pay', '{}')", [waiting[0]]);

  const config = readConfig({ ...bench.env, TEMPORAL_NAMESPACE: `t-${randomUUID()}`, TEMPORAL_TASK_QUEUE: randomUUID() });
  const { connection, client } = await connectTemporal(config);
  const log = openLog(config, 'test');
  const first = await recoverTemporal({ config, log, db, temporal: client });
  expect(first).toEqual({ namespace: config.TEMPORAL_NAMESPACE, made: true, started: { content: EACH, order: 2 * EACH }, carried: { content: 0, order: 0 } });
  const second = await recoverTemporal({ config, log, db, temporal: client });
  expect(second).toMatchObject({ made: false, started: { content: 0, order: 0 }, carried: { content: EACH, order: 2 * EACH } });

  const activities = createActivities({ config, db, store: backbone.deps.store, temporal: client, hint: () => undefined });
  const workers = [await openWorkflowWorker(config, connection, activities), await openActivityWorker(config, connection, { generateDraft: activities.generateDraft }, { name: 'content-generator', capacity: 10, perSecondMax: 1_000 })];
  const running = workers.map((worker) => worker.run());
  stop = await backbone.run({ workers: false, doors: false });
  try {
    await backbone.reach([...begun, waiting[0]!], undefined, 600_000);
  } finally {
    await stop();
    for (const worker of workers) worker.shutdown();
    await Promise.all(running);
    await connection.close();
  }
  for (const [id, before] of told) {
    const now = (await storyOf(id)).map(bytesOf);
    expect(now.slice(0, before.length)).toEqual(before);
    if (over.includes(id) || waiting.slice(1).includes(id)) expect(now).toHaveLength(before.length);
  }
  const { rows: [shelf] } = await db.query<{ quantity: string; reserved: string; sold: string }>("SELECT quantity, reserved, sold FROM products WHERE id = 'P-1'");
  expect([shelf?.quantity, shelf?.reserved, shelf?.sold]).toEqual([String(1_000_000 - 3 * EACH), String(EACH - 1), String(2 * EACH + 1)]);
  const { rows: [paid] } = await db.query<{ captured: number }>('SELECT count(*) FILTER (WHERE captured)::int AS captured FROM simulated_payments');
  expect(paid?.captured).toBe(2 * EACH);
}, 900_000);

test('a run whose story has lost its first fact tells nothing until the fact is back', async () => {
  const stop = await backbone.run();
  const { db } = backbone.bench;
  try {
    const [id] = await backbone.orders(1, { typePaymentId: 2 }) as [string];
    await backbone.reach([id], 2);
    const { rows: kept } = await db.query<{ row: object }>("WITH gone AS (DELETE FROM facts WHERE aggregate_id = $1 RETURNING *) SELECT to_jsonb(gone) - 'seq' - 'shard' AS row FROM gone ORDER BY version", [id]);
    await backbone.bench.client.workflow.getHandle(`order/${id}`).signal('mail', { id: 'm', type: 'pay', data: {} });
    // It asks in vain, and waits by a timer, beside that of its deadline.
    await until(async () => {
      const { events } = await backbone.bench.client.workflow.getHandle(`order/${id}`).fetchHistory();
      return (events ?? []).filter(({ timerStartedEventAttributes }) => timerStartedEventAttributes).length >= 2;
    }, 'it waits', 30_000, 200);
    expect(await factsFrom(db, 'order', id)).toEqual([]);
    const columns = Object.keys(kept[0]!.row).join(', ');
    for (const { row } of kept) await db.query(`INSERT INTO facts (${columns}) SELECT ${columns} FROM jsonb_populate_record(NULL::facts, $1)`, [JSON.stringify(row)]);
    await backbone.reach([id], undefined, 60_000);
    expect((await factsFrom(db, 'order', id)).map(({ type }) => type)).toEqual(['OrderCreated', 'InventoryReserved', 'PaymentCaptured', 'OrderPaid']);
  } finally {
    await stop();
  }
}, 120_000);
