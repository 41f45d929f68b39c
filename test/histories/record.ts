import { workflowId } from '../../src/facts/identity';
import { content } from '../../workflows/content/definition';
import { openBench, type Bench } from '../setup/bench';
import { writeHistory } from '../setup/history-file';
import { PARTS_TIMEOUT_MS } from '../setup/stack';
import { until } from '../setup/until';

// Records the histories that `test/histories.test.ts` replays, from a real Temporal server:
//
//     npm test -- --testMatch '**/histories/record.ts'
//
// A recorded history stands for workflows that are running when a new version is put in place. Record a new
// one under a new name when a story learns something new; replace one only when no such workflow can be
// left, because replacing it forgets what it protects.

const LONG = 'A long enough draft, word after word after word. '.repeat(8);
const SHORT = 'too short';

let bench: Bench;
beforeAll(async () => (bench = await openBench()), PARTS_TIMEOUT_MS);
afterAll(() => bench.close());

async function record(name: string, id: string): Promise<void> {
  const handle = bench.client.workflow.getHandle(workflowId(content.name, id));
  await handle.result();
  writeHistory(name, await handle.fetchHistory());
}

test.each([
  ['content-completed', [LONG]],
  ['content-completed-in-two-attempts', [SHORT, LONG]],
  ['content-failed-after-three-attempts', [SHORT]],
  // Since facts that are stored as they were proposed are answered in one word.
  ['content-told-in-a-word', [SHORT, LONG]],
])('%s', async (name, drafts) => {
  const workers = await bench.startWorkers();
  try {
    const id = await bench.begin({ drafts });
    await record(name, id);
  } finally {
    await workers.stop();
  }
});

test('content-cancelled-while-generating', async () => {
  let release = (): void => undefined;
  const held = new Promise<void>((resolve) => (release = resolve));
  let generating = false;
  const workers = await bench.startWorkers(async (name, _args, run) => {
    if (name === 'generateDraft') {
      generating = true;
      await held;
    }
    return run();
  });
  try {
    const id = await bench.begin({ drafts: [LONG] });
    await until(() => generating, 'the model is asked');
    await bench.cancel(id, 'changed my mind');
    await record('content-cancelled-while-generating', id);
  } finally {
    release();
    await workers.stop();
  }
});
