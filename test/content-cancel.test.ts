import type { ContentFact, RuleFailure } from '../workflows/content/lifecycle';
import { CANCEL, openSkippedTime, type SkippedStory, type SkippedTime } from './setup/skipped-time';
import { PARTS_TIMEOUT_MS } from './setup/stack';
import { until } from './setup/until';

/** A cancel ends a task wherever it finds it, up to the moment when its content is found good. */

let time: SkippedTime;
beforeAll(async () => (time = await openSkippedTime()), PARTS_TIMEOUT_MS);
afterAll(() => time?.close());

const broke: RuleFailure = { rule: 'long enough', fact: 'words', operator: 'greaterThan', expected: 40, measured: 2 };
const typesOf = (facts: readonly ContentFact[]) => facts.map(({ type }) => type);

/** Cancels at the first call only: a hook may be called again, and one cancel is enough. */
function once(cancel: () => Promise<void>): () => Promise<void> {
  let sent: Promise<void> | undefined;
  return () => (sent ??= cancel());
}

async function run(story: SkippedStory) {
  await story.start();
  const { facts, result } = await story.ended();
  return { types: typesOf(facts), last: facts.at(-1)?.data, result };
}

const cancelled = (story: SkippedStory) => ({ taskId: story.id, by: 'ana', reason: 'changed my mind' });

test('before the story begins: nothing is assigned', async () => {
  const story = await time.begin();
  story.stores.mail.set(story.id, [CANCEL]);
  const { types, last, result } = await run(story);
  expect(types).toEqual(['TaskCreated', 'TaskCancelled']);
  expect(last).toEqual(cancelled(story));
  expect(result).toEqual({ status: 'cancelled', version: 2 });
  expect(story.stores.asked.assign).toEqual([]);
});

test('while an agent is chosen: nothing is generated', async () => {
  const story = await time.begin();
  story.stores.script = { assign: once(story.cancel) };
  const { types, last } = await run(story);
  expect(types).toEqual(['TaskCreated', 'TaskAssigned', 'TaskCancelled']);
  expect(last).toEqual(cancelled(story));
  expect(story.stores.asked.generate).toEqual([]);
});

test('while a model writes: its call is cancelled, and the task does not wait for it', async () => {
  const story = await time.begin();
  let asked = false;
  let aborted: unknown;
  story.stores.script = {
    model: (_request, signal) =>
      new Promise((_, reject) => {
        asked = true;
        signal.addEventListener('abort', () => {
          aborted = signal.reason;
          reject(new Error('aborted'));
        });
      }),
  };
  await story.start();
  await until(() => asked, 'the model is asked');
  await story.cancel();
  // Looked at while the worker lives, because its shutdown would abort the call as well.
  await until(() => aborted !== undefined, 'the call is cancelled');
  const { facts } = await story.ended();
  expect(typesOf(facts)).toEqual(['TaskCreated', 'TaskAssigned', 'TaskCancelled']);
  expect(facts.at(-1)?.data).toEqual(cancelled(story));
  expect(story.stores.asked.generate).toHaveLength(1);
});

test('while a faulty model is waited for: the wait ends', async () => {
  const story = await time.begin();
  let tries = 0;
  story.stores.script = {
    model: async () => {
      tries += 1;
      if (tries === 3) await story.cancel();
      throw new Error('overloaded');
    },
  };
  expect((await run(story)).types).toEqual(['TaskCreated', 'TaskAssigned', 'TaskCancelled']);
  expect(tries).toBe(3);
});

test('after a draft was told and before it is judged: it is not judged', async () => {
  const story = await time.begin();
  const cancel = once(story.cancel);
  story.stores.script = { afterRecord: async ({ type }) => (type === 'ContentGenerated' ? cancel() : undefined) };
  expect((await run(story)).types).toEqual(['TaskCreated', 'TaskAssigned', 'ContentGenerated', 'TaskCancelled']);
  expect(story.stores.asked.judge).toEqual([]);
});

test('while a bad draft is judged: there is no other attempt', async () => {
  const story = await time.begin();
  const cancel = once(story.cancel);
  story.stores.script = { judge: async () => (await cancel(), [broke]) };
  expect((await run(story)).types).toEqual(['TaskCreated', 'TaskAssigned', 'ContentGenerated', 'ValidationFailed', 'TaskCancelled']);
  expect(story.stores.asked.generate).toHaveLength(1);
});

test('while its content is stored: too late, although storing has to be tried again', async () => {
  const story = await time.begin();
  const cancel = once(story.cancel);
  let tries = 0;
  story.stores.script = {
    store: async () => {
      await cancel();
      tries += 1;
      if (tries < 4) throw new Error('the store is away');
    },
  };
  const { types, result } = await run(story);
  expect(types).toEqual(['TaskCreated', 'TaskAssigned', 'ContentGenerated', 'ContentValidated', 'ContentStored']);
  expect(result).toEqual({ status: 'completed', version: 5 });
  expect(tries).toBe(4);
});

test.each(['judged', 'told'])('while its content is %s to be good: too late, and it is stored', async (when) => {
  const story = await time.begin();
  const cancel = once(story.cancel);
  story.stores.script =
    when === 'judged' ? { judge: async () => (await cancel(), []) } : { afterRecord: async ({ type }) => (type === 'ContentValidated' ? cancel() : undefined) };
  expect((await run(story)).types).toEqual(['TaskCreated', 'TaskAssigned', 'ContentGenerated', 'ContentValidated', 'ContentStored']);
});

test('delivered twice, by mail and by signal: told once', async () => {
  const story = await time.begin();
  const cancel = once(story.cancel);
  story.stores.script = { beforeRecord: async () => (await cancel(), undefined) };
  story.stores.mail.set(story.id, [CANCEL, CANCEL]);
  expect((await run(story)).types).toEqual(['TaskCreated', 'TaskCancelled']);
});
