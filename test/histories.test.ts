import { DefaultLogger, makeTelemetryFilterString, Runtime, Worker } from '@temporalio/worker';
import { DeterminismViolationError } from '@temporalio/workflow';
import { Endings } from '../src/temporal/endings';
import { workflowBundle } from './setup/compiled';
import { parseHistory, recordedHistories, textOfHistory as textOf } from './setup/history-file';

/**
 * Workflows that are running when a new version is put in place go on with it: histories recorded from a
 * real server are replayed by today's code. `test/histories/record.ts` and `record-orders.ts` say how to record one.
 */

const names = recordedHistories();

let codePath: string;
beforeAll(async () => {
  // Replay warns of what it finds; these tests say it better.
  const telemetryOptions = { logging: { forward: {}, filter: makeTelemetryFilterString({ core: 'ERROR' }) } };
  Runtime.install({ logger: new DefaultLogger('ERROR', () => undefined), telemetryOptions });
  codePath = await workflowBundle();
}, 120_000);

const replay = (text: string) => Worker.runReplayHistory({ workflowBundle: { codePath }, sinks: new Endings().sinks }, parseHistory(text), 'content/replayed');

/** What the workflow answered when it was recorded. */
function resultOf(text: string): unknown {
  const completed = parseHistory(text).events?.at(-1)?.workflowExecutionCompletedEventAttributes;
  return JSON.parse(Buffer.from(completed?.result?.payloads?.[0]?.data ?? []).toString());
}

test('each way in which a task and an order can end was recorded, and a lane', () => {
  const endings = Object.fromEntries(names.map((name) => [name, resultOf(textOf(name))]));
  expect(endings).toMatchObject({
    'content-completed': { status: 'completed', version: 5 },
    'content-completed-in-two-attempts': { status: 'completed', version: 8 },
    'content-failed-after-three-attempts': { status: 'failed', version: 11 },
    'content-cancelled-while-generating': { status: 'cancelled', version: 3 },
    'order-paid': { status: 'paid', version: 4 },
    'order-declined': { status: 'failed', version: 5 },
    'order-out-of-stock': { status: 'failed', version: 3 },
    'order-settled': { status: 'paid', version: 4 },
    'order-cancelled-while-waiting': { status: 'cancelled', version: 4 },
    'order-voided': { status: 'cancelled', version: 6 },
    'order-lane': { finished: 3, left: 1 },
    'order-begun': { status: 'paid', version: 4 },
    'order-lane-begun': { finished: 3, left: 0 },
    'content-told-in-a-word': { status: 'completed', version: 8 },
    'order-lane-told-in-a-word': { finished: 3, left: 1 },
  });
});

test.each(names)('%s is replayed by today’s code', async (name) => {
  await replay(textOf(name));
});

test('a history that today’s code would not write is found out', async () => {
  const other = textOf('content-completed').replaceAll('"generateDraft"', '"writeDraft"');
  await expect(replay(other)).rejects.toThrow(DeterminismViolationError);
});

test('no history names the machine that it was recorded on', () => {
  for (const name of names) {
    const payloads = [...textOf(name).matchAll(/"data": "([^"]*)"/g)].map(([, data = '']) => Buffer.from(data, 'base64').toString());
    const telling = [textOf(name), ...payloads].flatMap((text) => text.match(/\d+@[\w.-]+|\/(home|tmp|Users)\/[^"]*/g) ?? []);
    expect([name, telling]).toEqual([name, []]);
  }
});
