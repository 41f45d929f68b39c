import { openHint, type Hint } from '../src/facts/hint';
import type { Queryable } from '../src/facts/postgres';

/** A look that finds one fact of four costs as much as one that finds all: relays are woken when it serves somebody. */

let woken = 0;
let hint: Hint;
beforeEach(() => {
  jest.useFakeTimers();
  woken = 0;
  const db = { query: async () => void (woken += 1) } as unknown as Queryable;
  hint = openHint(db, () => undefined);
});
afterEach(() => void jest.useRealTimers());

test('an urgent fact wakes them at once, and those right behind it once more', () => {
  hint();
  expect(woken).toBe(1);
  hint('now');
  hint('now');
  expect(woken).toBe(1);
  jest.advanceTimersByTime(5);
  expect(woken).toBe(2);
});

test('facts that others follow wake them together, a moment after the first of them', () => {
  hint('soon');
  jest.advanceTimersByTime(15);
  hint('soon');
  expect(woken).toBe(0);
  jest.advanceTimersByTime(5);
  expect(woken).toBe(1);
  jest.advanceTimersByTime(1_000);
  expect(woken).toBe(1);
});

test.each(['now', 'carried'] as const)('what waits goes with one that is told %s, and wakes nobody after it', (urgency) => {
  hint('soon');
  hint(urgency);
  expect(woken).toBe(urgency === 'now' ? 1 : 0);
  jest.advanceTimersByTime(1_000);
  expect(woken).toBe(urgency === 'now' ? 1 : 0);
  hint('soon');
  jest.advanceTimersByTime(20);
  expect(woken).toBe(urgency === 'now' ? 2 : 1);
});
