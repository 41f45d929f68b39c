import { grouped } from '../src/grouped';

/** One call for many callers: nobody's answer is another's, and no order is lost. */

interface Call {
  readonly items: readonly string[];
  end(): void;
  fail(reason: Error): void;
}

let calls: Call[] = [];
beforeEach(() => (calls = []));
afterEach(() => void jest.useRealTimers());

const open = (options?: Parameters<typeof grouped<string, string>>[1]) =>
  grouped<string, string>((items) => new Promise((resolve, reject) => calls.push({ items, end: () => resolve(items.join()), fail: reject })), options);
/** Lets everything run that waits for nothing. */
const settle = () => new Promise((resolve) => setImmediate(resolve));

test('who comes alone is called for at once, who comes meanwhile together, in the order in which they came', async () => {
  const ask = open();
  const answers = [ask(['a']), ask(['b', 'c']), ask(['d'])];
  expect(calls.map((call) => call.items)).toEqual([['a']]);
  calls[0]!.end();
  await settle();
  expect(calls[1]!.items).toEqual(['b', 'c', 'd']);
  calls[1]!.end();
  expect(await Promise.all(answers)).toEqual(['a', 'b,c,d', 'b,c,d']);
});

test('a fault is for those who were in that call, and the next call is made all the same', async () => {
  const ask = open();
  const [first, second] = [ask(['a']), ask(['b'])];
  calls[0]!.fail(new Error('away'));
  await expect(first).rejects.toThrow('away');
  await settle();
  calls[1]!.end();
  expect(await second).toBe('b');
});

test('two items of one key are never in one call, and nobody overtakes the one who waits for that', async () => {
  const ask = open({ keyOf: (item) => item });
  const answers = [ask(['x']), ask(['a']), ask(['a', 'b']), ask(['c'])];
  for (let which = 0; which < 3; which += 1) {
    calls[which]!.end();
    await settle();
  }
  await Promise.all(answers);
  expect(calls.map((call) => call.items)).toEqual([['x'], ['a'], ['a', 'b', 'c']]);
});

test('after a call there is a rest, and who comes in it goes together behind it; who comes later goes at once', async () => {
  jest.useFakeTimers({ doNotFake: ['setImmediate'] });
  const ask = open({ restMs: 100 });
  void ask(['a']);
  calls[0]!.end();
  await settle();
  void ask(['b']);
  void ask(['c']);
  await jest.advanceTimersByTimeAsync(99);
  expect(calls.length).toBe(1);
  await jest.advanceTimersByTimeAsync(1);
  expect(calls.map((call) => call.items)).toEqual([['a'], ['b', 'c']]);
  calls[1]!.end();
  await jest.advanceTimersByTimeAsync(100);
  void ask(['d']);
  expect(calls[2]!.items).toEqual(['d']);
});

test('a call has no more items than it may, unless one caller brings more', async () => {
  const ask = open({ most: 2 });
  const answers = [ask(['x']), ask(['a']), ask(['b']), ask(['c', 'd', 'e']), ask(['f'])];
  for (let which = 0; which < 4; which += 1) {
    calls[which]!.end();
    await settle();
  }
  await Promise.all(answers);
  expect(calls.map((call) => call.items)).toEqual([['x'], ['a', 'b'], ['c', 'd', 'e'], ['f']]);
});
