import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { Kafka, logLevel } from 'kafkajs';
import type { Pool } from 'pg';
import { readConfig } from '../src/config';
import { factId } from '../src/facts/identity';
import { openPool } from '../src/facts/postgres';
import { tellFacts } from '../src/facts/tell';
import type { Replay } from '../src/replay/replay';
import { domainNamed } from '../workflows/domains';
import type { Fact } from '../workflows/kernel/fact';
import { fold } from '../workflows/kernel/lifecycle';
import { compiled } from './setup/compiled';
import { tracesOf } from './setup/effects';
import { storyOf } from './setup/story';
import { startSystem, SYSTEM_TIMEOUT_MS, type System } from './setup/system';
import { paidOrder } from './setup/told-stage';
import { until } from './setup/until';

/**
 * The running system, with real stories and many told ones: whatever is replayed and rebuilt, not one record,
 * run, row or letter comes of it, and the views are what they were. The full dose: FAZENDA_REPLAY_EVENTS=50000.
 */

const EVENTS = Number(process.env.FAZENDA_REPLAY_EVENTS ?? 2_000);
const REPLAYS = 12;
const TOKEN = 'effects-admin';
const TEMPLATE = '00000000-0000-4000-8000-000000000001';

let system: System;
let db: Pool;
beforeAll(async () => {
  system = await startSystem({ FAZENDA_ADMIN_TOKEN: TOKEN });
  db = openPool(readConfig({ DATABASE_URL: system.endpoints.postgres }), 'judge', 4);
}, SYSTEM_TIMEOUT_MS);
afterAll(async () => {
  await db.end();
  const code = await system.stop();
  system.forget();
  expect(code).toBe(0);
}, 30_000);

async function call(method: string, path: string, body?: object): Promise<Record<string, unknown>> {
  const answer = await fetch(`${system.endpoints.api}${path}`, {
    method, headers: { 'content-type': 'application/json', authorization: `Bearer ${TOKEN}` }, ...(body && { body: JSON.stringify(body) }),
  });
  if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${await answer.text()}`);
  return (await answer.json()) as Record<string, unknown>;
}
const replay = async (id: string) => (await call('POST', '/admin/replay', { aggregateId: id })) as object as Replay;

async function cli(...args: string[]): Promise<{ code: number; json: Record<string, unknown> }> {
  const entry = join(await compiled(), 'src', 'cli', 'main.js');
  return await new Promise((resolve, reject) => {
    execFile(process.execPath, [entry, '--json', ...args], { env: { PATH: process.env.PATH, FAZENDA_HOME: system.home, FAZENDA_ADMIN_TOKEN: TOKEN }, maxBuffer: 1e8 }, (fault, out, err) => {
      if (out === '') reject(new Error(err));
      else resolve({ code: fault ? Number(fault.code) : 0, json: JSON.parse(out) as Record<string, unknown> });
    });
  });
}

/** Stories that went to their ends, told as workers tell them, and published by the relay of the system. */
async function tellMany(name: string, count: number, tell: (id: string) => readonly Fact[]): Promise<string[]> {
  const domain = domainNamed(name);
  const ids = Array.from({ length: count }, () => randomUUID() as string);
  for (let from = 0; from < count; from += 500) {
    const some = ids.slice(from, from + 500).map((id) => [id, tell(id)] as const);
    for (let at = 0; some.some(([, facts]) => at < facts.length); at += 1) {
      await tellFacts(db, domain, some.flatMap(([id, facts]) => {
        const fact = facts[at];
        // The views count open stories: these are seen only when they are over.
        return fact ? [{ id, fact, ...(at === facts.length - 1 && { after: fold(domain.lifecycle, facts) }) }] : [];
      }));
    }
  }
  return ids;
}

const unpublished = async () => (await db.query<{ n: number }>('SELECT count(*)::int AS n FROM facts WHERE published_at IS NULL')).rows[0]?.n;

test(`replaying and rebuilding ${EVENTS} events changes nothing`, async () => {
  const client = await call('POST', '/v1/clients', { name: 'Ana', email: 'ana@example.com', phone: '1', cpf: '52998224725' });
  const product = await call('POST', '/v1/products', { name: 'Spade', description: '', price: 10, quantity: 50 });
  const real: string[] = [];
  for (let at = 0; at < 3; at += 1) {
    real.push(String((await call('POST', '/commands/create-task', { templateId: TEMPLATE, modelType: 'local', priority: 'normal', userId: 'u' })).taskId));
    const items = [{ productId: product.id, quantity: 1, price: 10 }];
    real.push(String((await call('POST', '/v1/orders', { clientId: client.id, items, total: 10, payments: [{ typePaymentId: 1, amount: 10 }] })).id));
  }
  const told = [...(await tellMany('content', Math.floor((EVENTS * 0.8) / 5), storyOf)), ...(await tellMany('order', Math.floor((EVENTS * 0.2) / 4), (id) => paidOrder(id)))];
  await until(async () => (await db.query(`SELECT 1 FROM task_view WHERE phase <> 'done' UNION ALL SELECT 1 FROM order_view WHERE phase <> 'done'`)).rowCount === 0, 'all stories are over', 60_000, 100);
  await until(async () => (await unpublished()) === 0, 'all is published', 120_000, 200);
  // Letters go out behind the topics; then the queue is still.
  let before = await tracesOf(system, db);
  await until(async () => {
    const now = await tracesOf(system, db);
    const still = JSON.stringify(now) === JSON.stringify(before) && now.letters >= 3;
    before = now;
    return still;
  }, 'nothing moves any more', 120_000, 1_500);
  expect(before.runs.length).toBeGreaterThan(3);
  expect(Object.values(before.topics).reduce((sum, count) => sum + count, 0)).toBeGreaterThan(EVENTS * 0.95);

  const begun = performance.now();
  for (const id of [...real, ...told.filter((_, at) => at % Math.ceil(told.length / REPLAYS) === 0)]) {
    const { steps, state, differences } = await replay(id);
    expect([id, differences]).toEqual([id, []]);
    expect([steps.length, ['completed', 'paid']]).toEqual([state?.version, expect.arrayContaining([state?.status]) as string[]]);
  }
  // A story whose own workflow is in history has Temporal's word as well.
  expect((await replay(real[0] ?? '')).temporal).toMatchObject({ status: 'completed' });
  const replayed = performance.now();
  const { code, json } = await cli('replay', real[1] ?? '');
  expect([code, json.differences]).toEqual([0, []]);
  expect(await tracesOf(system, db)).toEqual(before);

  await db.query('TRUNCATE task_view; TRUNCATE order_view');
  const rebuilding = performance.now();
  const rebuilt = await cli('rebuild');
  const seconds = [replayed - begun, performance.now() - rebuilding].map((ms) => (ms / 1_000).toFixed(1));
  if (EVENTS > 5_000) console.log(`${REPLAYS + 7} replays: ${seconds[0]} s; rebuild: ${seconds[1]} s`);
  expect(rebuilt.code).toBe(0);
  const views = rebuilt.json.views as { added: number; stories: number; ahead: number }[];
  expect(views.map(({ added, ahead }) => [added, ahead])).toEqual(views.map(({ stories }) => [stories, 0]));
  expect(views.reduce((sum, { stories }) => sum + stories, 0)).toBe(told.length + real.length);
  expect((await cli('rebuild', 'order')).json.views).toMatchObject([{ domain: 'order', added: 0, corrected: 0, removed: 0 }]);
  expect(await tracesOf(system, db)).toEqual(before);
}, 600_000);

test('an order that waits: its workflow answers, and is named where the topics know more', async () => {
  const client = await call('POST', '/v1/clients', { name: 'Rui', email: 'rui@example.com', phone: '1', cpf: '11144477735' });
  const product = await call('POST', '/v1/products', { name: 'Rake', description: '', price: 10, quantity: 5 });
  const items = [{ productId: product.id, quantity: 1, price: 10 }];
  const { id } = (await call('POST', '/v1/orders', { clientId: client.id, items, total: 10, payments: [{ typePaymentId: 2, amount: 10 }] })) as { id: string };
  await until(async () => (await replay(id)).temporal?.version === 2, 'its workflow waits for its settlement', 60_000, 200);
  expect(await replay(id)).toMatchObject({ state: { step: 'awaiting', version: 2 }, temporal: { step: 'awaiting', version: 2 }, differences: [] });

  // Somebody tells version 3 on Kafka, as we would, and no store and no run has heard of it.
  const producer = new Kafka({ clientId: 'forger', brokers: system.endpoints.kafka.split(','), logLevel: logLevel.NOTHING }).producer();
  await producer.connect();
  const headers = { ce_id: factId('order', id, 3), ce_type: 'PaymentCaptured', ce_source: '/fazenda/order', ce_subject: id, ce_time: new Date().toISOString(), ce_sequence: '3' };
  await producer.send({ topic: 'payments.captured', messages: [{ key: id, value: JSON.stringify({ orderId: id, amount: '10.00', paymentId: 'p' }), headers }] });
  await producer.disconnect();
  const { state, differences } = await replay(id);
  expect(state).toMatchObject({ step: 'closing', version: 3 });
  expect(differences).toContainEqual({ teller: 'order_view', field: 'version', expected: 3, found: 2 });
  expect(differences).toContainEqual({ teller: 'temporal', field: 'version', expected: 3, found: 2 });
  const told = await cli('replay', id, '--from', '2');
  expect([told.code, (told.json.steps as object[]).length]).toEqual([1, 2]);
}, 120_000);
