import { LocalFanOut } from '../src/live/fanout';
import { Hub } from '../src/live/hub';
import { LIVE_LIMITS } from '../src/live/limits';
import type { Follower } from '../src/live/story';
import fc from 'fast-check';
import { MemoryStore } from './setup/memory-store';
import { STEPS, storyOf } from './setup/story';
import { until } from './setup/until';

/** The hub's promise, without sockets: each follower hears every version once, in order, without a gap. */

const DOMAIN = 'content';
const ID = 'a-task';
const VERSIONS = STEPS.map(([version]) => version);

interface Listening extends Follower {
  readonly versions: number[];
  readonly faults: string[];
}

function listening(heard = 0): Listening {
  const versions: number[] = [];
  const faults: string[] = [];
  return { heard, versions, faults, send: ({ version }) => versions.push(version), fail: ({ code }) => faults.push(code) };
}

let store: MemoryStore;
let fanOut: LocalFanOut;
let hub: Hub;
let troubles: unknown[];
const hint = (version: number) => fanOut.tell([{ domain: DOMAIN, id: ID, version }]);

function open(limits: Partial<Record<keyof typeof LIVE_LIMITS, number>> = {}): void {
  store = new MemoryStore();
  fanOut = new LocalFanOut();
  troubles = [];
  hub = new Hub({ store, fanOut, limits: { ...LIVE_LIMITS, retryFirstMs: 1, retryMostMs: 2, ...limits }, onTrouble: (trouble) => troubles.push(trouble) });
}

beforeEach(() => open());
afterEach(() => hub.close());

test('whatever the order and number of hints, and whenever facts are stored, every follower hears each version once and in order', async () => {
  const hints = fc.array(fc.record({ version: fc.integer({ min: 1, max: 5 }), stored: fc.integer({ min: 0, max: 5 }) }), { maxLength: 12 });
  await fc.assert(
    fc.asyncProperty(hints, fc.integer({ min: 0, max: 5 }), async (schedule, lastVersion) => {
      hub.close();
      open({ absentTriesMax: 1 });
      const story = storyOf(ID);
      const [first, late] = [listening(), listening(lastVersion)];
      hub.follow(DOMAIN, ID, first);
      let stored = 0;
      for (const step of schedule) {
        while (stored < step.stored) store.put(ID, story[stored++]!);
        hint(step.version);
        await Promise.resolve();
      }
      hub.follow(DOMAIN, ID, late);
      while (stored < 5) store.put(ID, story[stored++]!);
      hint(5);
      await until(() => first.versions.length >= 5 && late.heard === 5, 'both have heard it all');
      expect(first.versions).toEqual(VERSIONS);
      expect(late.versions).toEqual(VERSIONS.slice(lastVersion));
    }),
    { numRuns: 150 },
  );
});

test('a step tells the status that the story had after it', async () => {
  const steps: unknown[] = [];
  store.put(ID, ...storyOf(ID));
  hub.follow(DOMAIN, ID, { heard: 0, send: ({ version, event, status }) => steps.push([version, event, status]), fail: () => undefined });
  await until(() => steps.length === 5, 'the story is told');
  expect(steps).toEqual(STEPS);
});

test('a fact that is stored while a newcomer is told what is stored reaches him', async () => {
  const [one, two] = storyOf(ID);
  store.put(ID, one!);
  let openGate: () => void = () => undefined;
  store.gate = new Promise((resolve) => (openGate = resolve));
  const follower = listening();
  hub.follow(DOMAIN, ID, follower); // Its look begins, and sees version 1 only.
  store.put(ID, two!);
  hint(2);
  openGate();
  await until(() => follower.versions.length === 2, 'both versions came');
  expect(follower.versions).toEqual([1, 2]);
});

test('many hints and followers at once share loads', async () => {
  store.put(ID, ...storyOf(ID));
  let openGate: () => void = () => undefined;
  store.gate = new Promise((resolve) => (openGate = resolve));
  const followers = Array.from({ length: 50 }, () => listening());
  for (const follower of followers) hub.follow(DOMAIN, ID, follower);
  for (let version = 1; version <= 5; version += 1) hint(version);
  openGate();
  await until(() => followers.every(({ versions }) => versions.length === 5), 'all have heard it');
  expect(store.loads).toBeLessThanOrEqual(2);
});

test('a hint that came while the store was away is kept, and so is the follower', async () => {
  const follower = listening();
  hub.follow(DOMAIN, ID, follower);
  store.put(ID, ...storyOf(ID));
  store.gate = Promise.reject(new Error('the database is away'));
  store.gate.catch(() => undefined);
  hint(5);
  await until(() => troubles.length >= 3, 'it was tried again and again');
  expect(follower.versions).toEqual([]);
  store.gate = undefined;
  await until(() => follower.versions.length === 5, 'all versions came');
  expect(follower.faults).toEqual([]);
});

test('who comes while the store is away is told as soon as it is back, without any hint', async () => {
  store.put(ID, ...storyOf(ID));
  store.gate = Promise.reject(new Error('the database is away'));
  store.gate.catch(() => undefined);
  const follower = listening();
  hub.follow(DOMAIN, ID, follower);
  await until(() => troubles.length >= 3, 'it was tried again and again');
  store.gate = undefined;
  await until(() => follower.versions.length === 5, 'all versions came');
});

test('a partner\'s record that is on its topic before it is our fact 1 is waited for', async () => {
  const follower = listening();
  hub.follow(DOMAIN, ID, follower);
  hint(1);
  const before = store.loads;
  await until(() => store.loads > before + 2, 'it was looked for');
  store.put(ID, ...storyOf(ID).slice(0, 1));
  await until(() => follower.versions.length === 1, 'it came');
});

test('a lost hint is made up for by the next recheck, in one look for all', async () => {
  hub.close();
  open({ recheckEveryMs: 20 });
  const follower = listening();
  hub.follow(DOMAIN, ID, follower);
  await until(() => store.loads === 1, 'the first look is over');
  store.put(ID, ...storyOf(ID)); // And nobody hints.
  await until(() => follower.versions.length === 5, 'it was found');
});

test('who has left hears nothing more, and a story that nobody follows costs nothing', async () => {
  const follower = listening();
  const leave = hub.follow(DOMAIN, ID, follower);
  store.put(ID, ...storyOf(ID));
  leave();
  const before = store.loads;
  hint(5);
  const other = listening(4);
  hub.follow(DOMAIN, ID, other);
  await until(() => other.versions.length === 1, 'the other is told');
  expect(follower.versions).toEqual([]);
  expect(store.loads).toBe(before + 1);
});

test('facts that cannot be folded end the following with a fault, not in silence', async () => {
  const [one, , three] = storyOf(ID);
  store.put(ID, one!, three!);
  const follower = listening();
  hub.follow(DOMAIN, ID, follower);
  await until(() => follower.faults.length === 1, 'it is told');
  expect(follower.faults).toEqual(['FZ_FACT_GAP']);
  expect(follower.versions).toEqual([1]);
});
