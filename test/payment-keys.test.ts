import fc from 'fast-check';
import type { Pool } from 'pg';
import { simulatedProvider } from '../activities/payment/simulated';
import { paymentActivities } from '../activities/payments';
import { readConfig } from '../src/config';
import { migrate } from '../src/facts/migrate';
import { openPool } from '../src/facts/postgres';
import { paymentKey } from '../workflows/order/lifecycle';
import { ownDatabase } from './setup/database';
import { createdOrder, tellCreated } from './setup/orders';
import { gated, type Gate } from './setup/provider';
import { PARTS_TIMEOUT_MS, realParts } from './setup/stack';

/** A payment has one key: it is captured or declined once, and once it is void nothing is captured under it ever again. */

let db: Pool;
let drop: () => Promise<void>;
beforeAll(async () => {
  const database = await ownDatabase((await realParts()).DATABASE_URL ?? '');
  drop = database.drop;
  db = openPool(readConfig({ DATABASE_URL: database.url }), 'test');
  await migrate(db);
}, PARTS_TIMEOUT_MS);
afterAll(async () => {
  await db.end();
  await drop();
});
beforeEach(() => db.query('TRUNCATE simulated_payments, facts, order_view'));

const AWAY: Gate = { before: async () => Promise.reject(new Error('no route')) };

describe('the simulated provider', () => {
  const provider = () => simulatedProvider(db);
  const capture = async (key: string, amountCents = 100) => (await provider().capture([{ key, amountCents }])).get(key);
  const voided = async (key: string) => (await provider().void([key])).get(key);

  test('captures a key once, and gives the same answer ever after, whatever amount is asked then', async () => {
    const first = await capture('k');
    expect(first).toMatchObject({ outcome: 'captured', paymentId: expect.stringMatching(/^simulated\/./) });
    expect([await capture('k'), await capture('k', 113)]).toEqual([first, first]);
    expect((await db.query('SELECT amount_cents FROM simulated_payments')).rows).toEqual([{ amount_cents: '100' }]);
  });

  test.each([[13, 'declined'], [100_013, 'declined'], [1_300, 'captured'], [0, 'captured']])('finds %i cents %s', async (cents, outcome) => {
    expect(await capture('k', cents)).toMatchObject({ outcome });
  });

  test('declines for good', async () => {
    await capture('k', 113);
    expect(await capture('k', 100)).toMatchObject({ outcome: 'declined' });
    expect(await voided('k')).toEqual({ paymentId: null });
  });

  test('voids what was captured, and says what that was each time it is asked', async () => {
    const { paymentId } = (await capture('k')) as { paymentId: string };
    expect([await voided('k'), await voided('k'), await capture('k'), await voided('k')]).toEqual([{ paymentId }, { paymentId }, { outcome: 'closed' }, { paymentId }]);
  });

  test('closes a key under which nothing was captured', async () => {
    expect([await voided('k'), await capture('k'), await voided('k')]).toEqual([{ paymentId: null }, { outcome: 'closed' }, { paymentId: null }]);
  });

  test('serves many keys in one call, each by itself, also where one is named twice', async () => {
    await voided('c');
    const charges = [['a', 100], ['b', 113], ['c', 100], ['a', 100]].map(([key, amountCents]) => ({ key: key as string, amountCents: amountCents as number }));
    expect([...(await provider().capture(charges))].map(([key, { outcome }]) => [key, outcome]).sort()).toEqual([['a', 'captured'], ['b', 'declined'], ['c', 'closed']]);
    expect([...(await provider().void(['b', 'a', 'd'])).keys()].sort()).toEqual(['a', 'b', 'd']);
  });

  test('is of one mind however captures and voids of a key cross', async () => {
    const calls = fc.array(fc.record({ key: fc.constantFrom('a', 'b', 'c'), call: fc.constantFrom('capture', 'void') }), { minLength: 2, maxLength: 16 });
    await fc.assert(fc.asyncProperty(calls, async (all) => {
      await db.query('TRUNCATE simulated_payments');
      const answers = await Promise.all(all.map(async ({ key, call }) => ({ key, answer: call === 'void' ? await voided(key) : await capture(key) })));
      for (const key of new Set(all.map((one) => one.key))) {
        const captured = answers.some(({ key: asked, answer }) => asked === key && JSON.stringify(answer).includes('"captured"'));
        const wasVoided = all.some((one) => one.key === key && one.call === 'void');
        // Money that somebody was told of is found by the void; without one it stays.
        expect((await voided(key))?.paymentId !== null).toBe(captured);
        if (wasVoided) expect(await capture(key)).toEqual({ outcome: 'closed' });
      }
    }), { numRuns: 40 });
  });
});

describe('an order’s payment', () => {
  const activities = (gate: Gate = {}) => paymentActivities({ db, payments: gated(simulatedProvider(db), () => gate) });
  const request = (id: string, version = 2) => ({ id, version, amountCents: 100 });

  test('whose version is told already is not asked for, and brings the facts instead; the others are', async () => {
    const told = createdOrder();
    await tellCreated(db, [told]);
    const id = told.data.orderId;
    const keys: string[] = [];
    const { capturePayments, capturePayment, voidPayment } = activities({ before: async (_call, asked) => void keys.push(...asked) });
    const facts = [expect.objectContaining({ type: 'OrderCreated', version: 1 })];
    expect(await capturePayments([request(id, 1), request('other')])).toMatchObject([{ id, version: 1, told: facts }, { id: 'other', version: 2, outcome: 'captured' }]);
    expect([await capturePayment(request(id, 1)), await voidPayment({ id, version: 1 })]).toMatchObject([{ told: facts }, { told: facts }]);
    expect(keys).toEqual([paymentKey('other')]);
  });

  test('is away, each for itself, where the provider is away for all: in a hurry nobody is thrown out', async () => {
    expect(await activities(AWAY).capturePayments([request('a'), request('b')])).toEqual(['a', 'b'].map((id) => ({ id, version: 2, outcome: 'away' })));
  });

  test('alone is tried again by Temporal, and names its trouble', async () => {
    const failure = { type: 'FZ_PAYMENTS_AWAY', message: expect.stringMatching(/no route/), nonRetryable: false };
    await expect(activities(AWAY).capturePayment(request('a'))).rejects.toMatchObject(failure);
    await expect(activities(AWAY).voidPayment({ id: 'a', version: 2 })).rejects.toMatchObject(failure);
    const silent = paymentActivities({ db, payments: { capture: async () => new Map(), void: async () => new Map() } });
    await expect(silent.capturePayment(request('a'))).rejects.toMatchObject({ type: 'FZ_PAYMENTS_AWAY' });
    expect(await silent.capturePayments([request('a')])).toEqual([{ id: 'a', version: 2, outcome: 'away' }]);
  });

  test('under a closed key is named by the key', async () => {
    const { capturePayment, voidPayment } = activities();
    await voidPayment({ id: 'a', version: 2 });
    expect(await capturePayment(request('a'))).toEqual({ outcome: 'closed', paymentId: 'order/a/payment' });
  });
});
