import { randomUUID } from 'node:crypto';
import { workflowId } from '../src/facts/identity';
import { openBench, type Bench } from './setup/bench';
import { PARTS_TIMEOUT_MS } from './setup/stack';

/** Whoever runs a story hears of its end at once, and of no other's; what follows from that is in lanes-fill-by-back-pressure. */

let bench: Bench;
beforeAll(async () => (bench = await openBench()), PARTS_TIMEOUT_MS);
afterAll(() => bench?.close());

test('the end of a story is heard in the process that runs it, when its last fact is stored', async () => {
  const [id, other] = [randomUUID(), randomUUID()] as [string, string];
  const [mine, theirs, nobody] = [id, other, randomUUID()].map((one) => bench.endings.of(workflowId('content', one)));
  let heard = 0;
  void Promise.race([theirs!.over, nobody!.over]).then(() => (heard += 1));
  const workers = await bench.startWorkers();
  try {
    await bench.begin({}, id);
    await mine!.over;
    expect((await bench.facts(id)).at(-1)?.type).toBe('ContentStored');
    expect(heard).toBe(0);

    theirs!.forget();
    await bench.begin({}, other);
    await bench.ended(other);
    expect(heard).toBe(0);
  } finally {
    await workers.stop();
  }
}, 60_000);
