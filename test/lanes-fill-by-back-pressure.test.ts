import type { Client } from '@temporalio/client';
import type { TypedSearchAttributes } from '@temporalio/common';
import type { WorkflowInfo } from '@temporalio/workflow';
import { readConfig } from '../src/config';
import { factId } from '../src/facts/identity';
import { openLanes, type StartStories } from '../src/ingress/lanes';
import { openLog } from '../src/log';
import { Endings } from '../src/temporal/endings';
import type { Domain } from '../workflows/kernel/definition';
import type { Fact } from '../workflows/kernel/fact';
import type { Begun } from '../workflows/kernel/recording';
import { order } from '../workflows/order/definition';
import { until } from './setup/until';

/**
 * Temporal is a stand-in here: how lanes fill depends on when workflows end, which a real server does not let
 * a test decide. That a lane tells its stories is test/lanes-carry-stories.test.ts.
 */

interface Started {
  readonly name: string;
  readonly workflowId: string;
  readonly ids: readonly string[];
  /** Who is aboard, by search attribute. */
  readonly lists: readonly (readonly string[])[];
  /** What is handed over, so that it need not be opened. */
  readonly begun: Begun | undefined;
  end(): void;
  /** How often somebody asked Temporal for its end. */
  asked: number;
}

let started: Started[] = [];
let refusal: Error | undefined;
let eagerlyStarted = false;
let endings: Endings;
const temporal = Object.assign(Object.create(null) as Client, {
  workflow: {
    async start(name: string, { workflowId, args, typedSearchAttributes }: { workflowId: string; args: [string | string[], Begun?]; typedSearchAttributes: TypedSearchAttributes }) {
      await Promise.resolve();
      if (refusal) throw refusal;
      let end = () => {};
      const ended = new Promise<void>((resolve) => (end = resolve));
      const lists = typedSearchAttributes.getAll().map(({ value }) => [value].flat().map(String));
      const one = { name, workflowId, ids: [args[0]].flat(), lists, begun: args[1], end, asked: 0 };
      started.push(one);
      return { eagerlyStarted, result: () => ((one.asked += 1), ended) };
    },
  },
});

const alone: string[] = [];
const startAlone: StartStories = async (_domain, stories) => void alone.push(...stories.map(({ id }) => id));

function open(env: Record<string, string> = {}): (ids: readonly string[], domain?: Domain, first?: Fact) => Promise<void> {
  const config = readConfig({ LANES_OPEN_MAX: '2', LOG_LEVEL: 'silent', ...env });
  const start = openLanes({ config, temporal, log: openLog(config, 'lanes'), endings }, startAlone);
  return (ids, domain = order, first) => start(domain, ids.map((id) => ({ id, data: { itemsCount: 1, total: 1, clientId: 'c' }, correlationId: id, ...(first && { first }) })));
}

const ids = (count: number, prefix = 'order') => Array.from({ length: count }, (_, index) => `${prefix}-${index}`);
const sizes = () => started.map((one) => one.ids.length);

afterEach(() => void jest.useRealTimers());
beforeEach(() => {
  started = [];
  alone.length = 0;
  refusal = undefined;
  eagerlyStarted = false;
  endings = new Endings();
});

test('a story that comes alone is the workflow named after its aggregate, at once', async () => {
  await open()(['a']);
  expect(started).toMatchObject([{ name: 'orderWorkflow', workflowId: 'order/a', ids: ['a'] }]);
});

test('lanes follow each other: who comes while the newest is new rides in the next, with whoever comes meanwhile', async () => {
  const board = open({ LANES_OPEN_MAX: '4' });
  await board(['a', 'and another']);
  const waiting = [board(['b']), board(['c']), board(['d'])];
  expect(sizes()).toEqual([2]);
  started[0]!.end();
  await Promise.all(waiting);
  expect(started[1]!.ids).toEqual(['b', 'c', 'd']);
});

test('a slow lane holds up nobody for long: the next place is free while it is still open', async () => {
  jest.useFakeTimers();
  const board = open({ LANES_OPEN_MAX: '4' });
  await board(['slow', 'slower']);
  const boarded = Promise.all([board(['b']), board(['c'])]);
  await jest.advanceTimersByTimeAsync(500);
  expect(started.length).toBe(2);
  await boarded;
  expect(started.map((one) => one.ids)).toEqual([['slow', 'slower'], ['b', 'c']]);
});

test('what waits while all places are taken rides together in the next lane, in the order in which it came', async () => {
  const board = open();
  await Promise.all([board(['a']), board(['b'])]);
  const waiting = [board(['c']), board(['d', 'e']), board(['f'])];
  expect(sizes()).toEqual([1, 1]);
  started[0]!.end();
  await Promise.all(waiting);
  expect(started[2]).toMatchObject({ name: 'orderLane', ids: ['c', 'd', 'e', 'f'] });
});

test('a burst fills lanes to their size, more of them at once than of those that might still fill, but never too many', async () => {
  const board = open();
  const boarded = board(ids(1_030), { ...order, laneSizeMax: 100 });
  await until(() => started.length === 8, 'eight full ones are open');
  let most = 0;
  let ended = 0;
  let openBeforeLast = 0;
  await until(() => {
    most = Math.max(most, started.length - ended);
    if (started.length === 10) openBeforeLast = started.length - ended;
    if (started.length > ended) started[ended++]!.end();
    return started.length === 11 && ended === 11;
  }, 'every lane was started and has ended');
  await boarded;
  expect(sizes()).toEqual([...Array.from({ length: 10 }, () => 100), 30]);
  expect(most).toBe(8);
  // The last one is not full: it waited for one of the two places.
  expect(openBeforeLast).toBeLessThanOrEqual(2);
  expect(started.flatMap((one) => one.ids)).toEqual(ids(1_030));
});

test('who is aboard is listed by id where all ids fit into the attributes, and by a mark each where they do not', async () => {
  const [short, long] = [ids(100), ids(100, 'é'.repeat(120))];
  await open()(short);
  await open()(long);
  for (const { lists } of started) {
    expect(lists.length).toBeLessThanOrEqual(2);
    for (const list of lists) expect(Buffer.byteLength(JSON.stringify(list))).toBeLessThanOrEqual(2_048);
  }
  expect(started.map(({ lists }) => lists.flat())).toEqual([short, long.map((id) => factId('order', id, 1).slice(0, 8))]);
});

test('no lane is larger than its lists, whatever its domain allows', async () => {
  const boarded = open()(ids(1_000), { ...order, laneSizeMax: 1_000 });
  await until(() => started.length === 2, 'two full ones are open');
  expect(sizes()).toEqual([362, 362]);
  for (const list of started.flatMap(({ lists }) => lists)) expect(Buffer.byteLength(JSON.stringify(list))).toBeLessThanOrEqual(2_048);
  expect(started.map(({ lists }) => lists.flat().length)).toEqual([362, 362]);
  for (const { end } of started) end();
  await boarded;
});

test('what is handed over to a lane is half of what a server warns of, at most; its last are opened there', async () => {
  const first = { type: 'OrderCreated', version: 1, at: '2026-01-01T00:00:00.000Z', data: { note: 'é'.repeat(2_000) } };
  await open()(ids(100), order, first);
  const handed = started[0]?.begun?.stories ?? [];
  expect(handed.map(({ id }) => id)).toEqual(ids(handed.length));
  // Each is a little over 4,000 bytes.
  expect(handed.length).toBeGreaterThan(60);
  expect(Buffer.byteLength(JSON.stringify(handed))).toBeLessThan(256 * 1_024 + 100 * 30);
});

test('a story that boards twice is aboard once, and both who brought it are told', async () => {
  const board = open({ LANES_OPEN_MAX: '1' });
  await board(['first']);
  const both = Promise.all([board(['twin', 'a']), board(['twin', 'b'])]);
  started[0]!.end();
  await both;
  expect(started[1]!.ids).toEqual(['twin', 'a', 'b']);
});

test('a lane that Temporal does not take is told to all aboard, and is the same lane when they come again', async () => {
  const board = open();
  refusal = new Error('Temporal is away');
  await expect(board(['a', 'b'])).rejects.toThrow('Temporal is away');
  refusal = undefined;
  await board(['b', 'a']);
  await board(['c']);
  const again = open();
  await again(['a', 'b']);
  expect(started.map((one) => one.name)).toEqual(['orderLane', 'orderWorkflow', 'orderLane']);
  expect(started[2]!.workflowId).toBe(started[0]!.workflowId);
});

test('a workflow that does not end gives its place free after a while', async () => {
  const board = open({ LANES_OPEN_MAX: '1' });
  await board(['waits for a person']);
  await board(['next']);
  expect(sizes()).toEqual([1, 1]);
});

const endsHere = (workflowId: string) => void endings.sinks.stories.over.fn({ workflowId } as WorkflowInfo);

test('a story that runs in this process gives its place free as it ends here, and nobody asks Temporal', async () => {
  jest.useFakeTimers();
  eagerlyStarted = true;
  const board = open({ LANES_OPEN_MAX: '1' });
  await board(['a']);
  const next = board(['b']);
  endsHere('order/another');
  await jest.advanceTimersByTimeAsync(900);
  expect(sizes()).toEqual([1]);
  endsHere('order/a');
  await next;
  expect(started.map(({ ids: aboard, asked }) => [aboard, asked])).toEqual([[['a'], 0], [['b'], 0]]);
});

test('so does a lane of many, and the next one starts at once', async () => {
  jest.useFakeTimers();
  eagerlyStarted = true;
  const board = open({ LANES_OPEN_MAX: '1' });
  await board(['many', 'of them']);
  const next = board(['b', 'c']);
  endsHere('lane/order/another');
  await jest.advanceTimersByTimeAsync(9_000);
  expect(sizes()).toEqual([2]);
  endsHere(started[0]!.workflowId);
  await next;
  expect(started.map(({ ids: aboard, asked }) => [aboard, asked])).toEqual([[['many', 'of them'], 0], [['b', 'c'], 0]]);
});

test('of those that some other process runs Temporal is asked', async () => {
  const board = open();
  await board(['elsewhere']);
  await board(['many', 'of them']);
  endsHere('order/elsewhere');
  expect(started.map(({ asked }) => asked)).toEqual([1, 1]);
});

test('a domain without lanes, and an installation that wants none, gives every story its own workflow', async () => {
  await open()(['a', 'b'], { ...order, laneSizeMax: 1 });
  await open({ LANE_SIZE_MAX: '1' })(['c', 'd']);
  expect(alone).toEqual(['a', 'b', 'c', 'd']);
  expect(started).toEqual([]);
});
