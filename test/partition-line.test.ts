import { PartitionLine } from '../src/kafka/partition-line';

/** Chunks of one partition that are done in any order are committed in theirs, and never before they are done. */

let commits: { passed: string; end(): void }[] = [];
let line: PartitionLine;
beforeEach(() => {
  commits = [];
  line = new PartitionLine((passed) => new Promise((resolve) => commits.push({ passed, end: resolve })));
});

interface Work {
  end(done: boolean): void;
  taken: Promise<void>;
}

function take(passed: string, records = 1): Work {
  let end: (done: boolean) => void = () => undefined;
  const work = new Promise<boolean>((resolve) => (end = resolve));
  return { end, taken: line.take(records, passed, work) };
}
/** Lets everything run that waits for nothing. */
const settle = () => new Promise((resolve) => setImmediate(resolve));
const committed = () => commits.map(({ passed }) => passed);

test('one that is done early waits for those before it, and is committed with them, once', async () => {
  const [first, second, third] = [take('1'), take('2'), take('3')];
  third.end(true);
  second.end(true);
  await Promise.all([second.taken, third.taken]);
  expect(committed()).toEqual([]);
  first.end(true);
  await settle();
  expect(committed()).toEqual(['3']);
  commits[0]!.end();
  await first.taken;
});

test('what is done while a commit is under way is committed after it, all of it by one', async () => {
  const chunks = ['1', '2', '3'].map((passed) => take(passed));
  for (const chunk of chunks) {
    chunk.end(true);
    await settle();
  }
  expect(committed()).toEqual(['1']);
  commits[0]!.end();
  await settle();
  expect(committed()).toEqual(['1', '3']);
  commits[1]!.end();
  await Promise.all(chunks.map(({ taken }) => taken));

  const later = take('4');
  later.end(true);
  await settle();
  expect(committed()).toEqual(['1', '3', '4']);
});

test('behind one that was given up nothing is committed; what comes anew in its place is', async () => {
  const [given, behind] = [take('1'), take('2')];
  given.end(false);
  behind.end(true);
  await Promise.all([given.taken, behind.taken]);
  expect(committed()).toEqual([]);

  take('1').end(true);
  await settle();
  expect(committed()).toEqual(['1']);
});

test('there is room while fewer records are in hand, whatever became of those that were', async () => {
  const [large, small] = [take('9', 9), take('10', 1)];
  let room = false;
  void line.room(10).then(() => (room = true));
  await settle();
  expect([room, line.isFirst('9'), line.isFirst('10')]).toEqual([false, true, false]);
  small.end(false);
  await settle();
  expect(room).toBe(true);
  large.end(true);
  await settle();
  expect([committed(), line.isFirst('9')]).toEqual([['9'], false]);
});
