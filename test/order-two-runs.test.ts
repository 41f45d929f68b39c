import { simulatedProvider } from '../activities/payment/simulated';
import { openBench, type Bench } from './setup/bench';
import { gated, type Gate } from './setup/provider';
import { PARTS_TIMEOUT_MS } from './setup/stack';
import { toldBy, TwoRunsStage, type Left, type Point, type RunKind, type TwoRuns } from './setup/two-runs';

/**
 * Undoing closes a key for ever. Each order here is run twice at once, in a lane and by its own name; one run is
 * held before or after each of its effects, the other finds a cancel and is held at each of its own. However they
 * cross, money and stock agree with how the story ends.
 */

let bench: Bench;
let stage: TwoRunsStage;
let workers: { stop(): Promise<void> };
let gate: Gate = {};
beforeAll(async () => {
  bench = await openBench({}, (db) => gated(simulatedProvider(db), () => gate));
  stage = new TwoRunsStage(bench);
  workers = await bench.startWorkers(stage.around);
}, PARTS_TIMEOUT_MS);
afterAll(async () => {
  await workers?.stop();
  await bench?.close();
});

const AT_ONCE = 12;
const MINUTES_3 = 180_000;

function points(calls: readonly number[]): Point[] {
  return calls.flatMap((call) => [{ call, side: 'before' }, { call, side: 'after' }] as const);
}

function crossings(innocents: readonly Point[], cancellers: readonly Point[]): TwoRuns[] {
  const kinds: [RunKind, RunKind][] = [['lane', 'own'], ['own', 'lane']];
  return kinds.flatMap(([innocent, canceller]) =>
    innocents.flatMap((at) => cancellers.map((held) => ({ innocent: { kind: innocent, at }, canceller: { kind: canceller, at: held } }))),
  );
}

/** What is wrong with how two runs left an order; undefined where all is well. */
function faultOf({ facts, stock, payment, verdict }: Left): string | undefined {
  const types = facts.map(({ type }) => type);
  const last = facts.at(-1);
  const has = (type: string) => types.includes(type);
  if (types.filter((type) => type === 'OrderPaid' || type === 'OrderFailed').length !== 1) return 'does not end once';
  if (last?.type === 'OrderPaid') {
    if (String(stock) !== '2,0,1') return `is paid, and its stock is ${stock}`;
    if (payment?.state !== 'captured') return `is paid, and its payment is ${payment?.state}`;
    if (has('PaymentVoided') || !has('PaymentCaptured')) return 'is paid, and tells another story of its payment';
    if (verdict === 'granted') return 'is paid, and who cancelled heard that it is cancelled';
    return undefined;
  }
  if ((last?.data as { status?: string }).status !== 'CANCELADO') return 'failed without having been cancelled';
  if (String(stock) !== '3,0,0') return `is cancelled, and its stock is ${stock}`;
  if (payment?.state === 'captured') return 'is cancelled, and its money was kept';
  if (has('PaymentVoided') !== (payment?.captured ?? false)) return 'is cancelled, and does not tell what became of its money';
  if (verdict === 'refused') return 'is cancelled, and who cancelled heard that it is not';
  return undefined;
}

/** Plays them, a few at a time: what was wrong, and every story that came of it. */
async function playAll(all: readonly TwoRuns[]): Promise<{ faults: string[]; told: Set<string> }> {
  const faults: string[] = [];
  const told = new Set<string>();
  const left = all[Symbol.iterator]();
  await Promise.all(Array.from({ length: AT_ONCE }, async () => {
    for (const scene of left) {
      const end = await stage.play(scene);
      const story = toldBy(end).join(' ');
      told.add(story);
      const fault = faultOf(end);
      if (fault) faults.push(`${JSON.stringify(scene)} ${fault}: ${story}`);
    }
  }));
  return { faults, told };
}

const PAID = 'InventoryReserved PaymentCaptured OrderPaid';
const UNRESERVED = 'OrderFailed';
const UNCAPTURED = 'InventoryReserved PaymentDeclined InventoryReleased OrderFailed';
const VOIDED = 'InventoryReserved PaymentDeclined PaymentVoided InventoryReleased OrderFailed';

test('held at every point, with a provider that answers at once', async () => {
  gate = {};
  // Of the innocent: open, reserve, capture, record, close. Of the other: open, decline, void, record, release, close.
  const { faults, told } = await playAll(crossings([{ call: 1, side: 'after' }, ...points([2, 3, 4, 5])], [...points([2, 3, 4, 5, 6]), 'never']));
  expect(faults).toEqual([]);
  expect([...told].sort()).toEqual([PAID, UNRESERVED, UNCAPTURED, VOIDED].sort());
}, MINUTES_3);

test('held while the provider captures and its first answer is lost, so that an order goes on alone', async () => {
  const lost = new Set<string>();
  gate = { after: async (call, [key = '']) => {
    if (call !== 'capture' || lost.has(key)) return;
    lost.add(key);
    throw new Error('the answer was lost');
  } };
  // Of the innocent: capture in a hurry, leave or capture alone, record, close.
  const { faults, told } = await playAll(crossings(points([3, 4, 5, 6]), [...points([3, 4]), 'never']));
  expect(faults).toEqual([]);
  expect([...told]).toEqual(expect.arrayContaining([PAID, VOIDED]));
}, MINUTES_3);
