import type { Pool } from 'pg';
import { audit } from '../src/audit/audit';
import { readConfig } from '../src/config';
import { migrate } from '../src/facts/migrate';
import { openPool } from '../src/facts/postgres';
import { standing, untilWhole } from '../src/facts/standing';
import { clusterName } from '../src/kafka/client';
import { topicNames } from '../src/kafka/topics';
import { openLog } from '../src/log';
import { extentsOf } from '../src/replay/read-topics';
import { recoverPostgres, type PostgresRecovery } from '../src/recover/postgres';
import { openBackbone, speakAvro, type Backbone } from './setup/backbone';
import { ownDatabase } from './setup/database';
import { PARTS_TIMEOUT_MS, realParts } from './setup/stack';
import { until } from './setup/until';

/**
 * PostgreSQL is lost whole, and comes back from the topics: facts with the same ids and bytes, the rows for readers,
 * mail, stock and payments; no letter is due twice, and nothing new is put on a topic. What no topic had is named.
 * The full dose: FAZENDA_RECOVER_STORIES=2000 npm test -- recover-postgres
 */

const EACH = Math.ceil(Number(process.env.FAZENDA_RECOVER_STORIES ?? 40) / 4);

let backbone: Backbone;
let db: Pool;
let drop: () => Promise<void>;
let recovered: PostgresRecovery;
let deps: Parameters<typeof recoverPostgres>[0];
let requested: string[];
let highBefore: bigint;
const before: Record<string, unknown[]> = {};

/** Everything about facts that may be seen from outside. What is Avro on its topic has no text; when it was published is seen by nobody. */
const FACTS = `SELECT aggregate_type, aggregate_id, version, ce_id, type, topic, CASE aggregate_type WHEN 'order' THEN payload::text ELSE payload::jsonb::text END AS payload, context::text AS context, at, correlation_id, causation_id,
  traceparent, origin, published_at IS NOT NULL AS published FROM facts ORDER BY 1, 2, 3`;
const TABLES: Readonly<Record<string, string>> = {
  facts: FACTS,
  tasks: 'SELECT * FROM task_view WHERE version > 1 ORDER BY id',
  orders: 'SELECT * FROM order_view WHERE version > 1 ORDER BY id',
  stock: 'SELECT order_id, state, items::jsonb AS items FROM stock_reservations ORDER BY order_id',
  shelf: "SELECT quantity, reserved, sold FROM products WHERE id = 'P-1'",
  payments: 'SELECT * FROM simulated_payments ORDER BY key',
};
const rowsOf = async (from: Pool, table: string) => (await from.query(TABLES[table] ?? '')).rows as unknown[];
const high = async () => (await extentsOf(deps.config, deps.log, topicNames().topics)).reduce((sum, one) => sum + one.high, 0n);

beforeAll(async () => {
  backbone = await openBackbone();
  await speakAvro(backbone.bench.db);
  let stop = await backbone.run();
  const tasks = await backbone.tasks(EACH);
  const bought = [...await backbone.orders(EACH), ...await backbone.orders(EACH, { edge: 'gateway' }), ...await backbone.orders(EACH, { price: 10.13 })];
  const waiting = await backbone.orders(EACH, { typePaymentId: 2 });
  await backbone.reach([...tasks, ...bought], undefined, 600_000);
  await backbone.reach(waiting, 2);
  await stop();
  // Taken in and committed, with no fact on any topic: all that is known of them is the request.
  stop = await backbone.run({ workers: false, relay: false });
  requested = await backbone.orders(3);
  await until(async () => (await backbone.bench.db.query('SELECT 1 FROM facts WHERE aggregate_id = ANY($1)', [requested])).rowCount === 3, 'three more are taken in');
  await stop();
  for (const table of Object.keys(TABLES)) before[table] = await rowsOf(backbone.bench.db, table);

  const parts = await realParts();
  const database = await ownDatabase(parts.DATABASE_URL ?? '');
  drop = database.drop;
  const config = readConfig({ ...backbone.bench.env, DATABASE_URL: database.url });
  db = openPool(config, 'test');
  await migrate(db);
  await speakAvro(db);
  // Products are told on no topic; they come back by a backup.
  await db.query("INSERT INTO products (id, sku, name, description, price_cents, quantity) VALUES ('P-1', 'SKU-1', 'Product', '', 1000, 1000000)");
  deps = { config, log: openLog(config, 'test'), db };
  highBefore = await high();
  recovered = await recoverPostgres(deps);
}, PARTS_TIMEOUT_MS);
afterAll(async () => {
  await db.end();
  await drop();
  await backbone.close();
});

test('every fact is back, with the same id and the same bytes, as published as it was', async () => {
  expect(await rowsOf(db, 'facts')).toEqual(before.facts);
  expect(recovered).toMatchObject({ facts: before.facts?.length, fromRequests: requested.length, gaps: [], said: [] });
});

test.each(['tasks', 'orders', 'stock', 'shelf', 'payments'])('so are the rows of %s', async (table) => {
  expect((await rowsOf(db, table)).length).toBeGreaterThan(0);
  expect(await rowsOf(db, table)).toEqual(before[table]);
});

test('no letter is due: each end that was told counts as perhaps told to its customer', async () => {
  const { rows } = await db.query("SELECT 1 FROM facts f LEFT JOIN notifications n USING (ce_id) WHERE f.type IN ('OrderPaid', 'OrderFailed') AND n.state IS DISTINCT FROM 'perhaps-sent'");
  expect(rows).toEqual([]);
  expect(recovered.perhapsSent).toBe(3 * EACH);
});

test('a second recovery finds nothing to do, and neither puts anything on a topic', async () => {
  expect(await recoverPostgres(deps)).toMatchObject({ facts: 0, fromRequests: 0, perhapsSent: 0, gaps: [], said: [] });
  expect(await rowsOf(db, 'facts')).toEqual(before.facts);
  expect(await high()).toBe(highBefore);
  expect(await standing(db)).toBe('whole');
});

test('audit finds nothing wrong with what came back, but for what was never published and the runs that nobody started', async () => {
  const { differences } = await audit({ ...backbone.deps, ...deps }, { settleMs: 1_000, patienceMs: 20_000 });
  expect(differences.filter(({ id }) => !requested.includes(id))).toEqual([]);
}, 60_000);

test('a version that no topic has any more is named, and what comes after it is not stored', async () => {
  const [{ aggregate_id: id }] = (await db.query<{ aggregate_id: string }>("SELECT aggregate_id FROM facts WHERE type = 'OrderPaid' LIMIT 1")).rows as [{ aggregate_id: string }];
  const admin = backbone.kafka.admin();
  await admin.connect();
  const topic = clusterName(deps.config, 'payments.captured');
  await admin.deleteTopicRecords({ topic, partitions: (await admin.fetchTopicOffsets(topic)).map(({ partition, high: offset }) => ({ partition, offset })) });
  await admin.disconnect();
  await db.query('DELETE FROM facts WHERE aggregate_id = $1 AND version > 1', [id]);
  const again = await recoverPostgres(deps);
  expect(again.gaps).toEqual([{ aggregate: 'order', id, version: 3 }]);
  expect((await db.query('SELECT version FROM facts WHERE aggregate_id = $1 ORDER BY version', [id])).rows).toEqual([{ version: 1 }, { version: 2 }]);
}, 60_000);

test('it does not begin while somebody takes records in', async () => {
  const atWork = await untilWhole(deps.config, deps.log, db, [], () => false);
  await expect(recoverPostgres(deps)).rejects.toMatchObject({ code: 'FZ_STILL_AT_WORK' });
  await atWork?.stop();
  await expect(recoverPostgres(deps)).resolves.toBeDefined();
});

test('whoever takes records in finds a database that was made anew beside our topics to be lost, and waits', async () => {
  await db.query('TRUNCATE facts, task_view, order_view');
  await db.query("UPDATE store_standing SET state = 'new'");
  let over = false;
  const begun = untilWhole(deps.config, deps.log, db, ['orders.paid'], () => over);
  await until(async () => (await standing(db)) === 'lost', 'it is found to be lost');
  await recoverPostgres(deps);
  const atWork = await begun;
  over = true;
  expect(atWork).toBeDefined();
  await atWork?.stop();
});
