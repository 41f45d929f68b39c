import { beginning, fold } from '../workflows/kernel/lifecycle';
import { contentLifecycle, type ContentFact } from '../workflows/content/lifecycle';
import { FazendaError } from '../src/errors';
import { draftOf, type Script } from './setup/fake-activities';
import { openSkippedTime, type SkippedStory, type SkippedTime } from './setup/skipped-time';
import { PARTS_TIMEOUT_MS } from './setup/stack';

/** A store that is away makes a story wait; one that knows better makes it follow. Neither makes it fail. */

let time: SkippedTime;
beforeAll(async () => (time = await openSkippedTime()), PARTS_TIMEOUT_MS);
afterAll(() => time?.close());

const WHOLE = ['TaskCreated', 'TaskAssigned', 'ContentGenerated', 'ContentValidated', 'ContentStored'];
const HOUR_MS = 3_600_000;
const typesOf = (facts: readonly ContentFact[]) => facts.map(({ type }) => type);
const away = () => new FazendaError('FZ_STORAGE_AWAY', 'the store is away');

async function run(story: SkippedStory, script: Script) {
  story.stores.script = script;
  await story.start();
  return story.ended();
}

describe('away', () => {
  test('for an hour while a draft is put away: past the model’s deadline, and no model is to blame', async () => {
    const story = await time.begin();
    let goneUntil = 0;
    const { facts } = await run(story, {
      putDraft: async (at) => {
        goneUntil ||= at + HOUR_MS;
        if (at < goneUntil) throw away();
      },
    });
    expect(typesOf(facts)).toEqual(WHOLE);
    expect(Date.parse(facts[2]?.at ?? '') - Date.parse(facts[1]?.at ?? '')).toBeGreaterThanOrEqual(HOUR_MS);
    expect(facts[2]?.data).toMatchObject({ attempt: 1 });
  });

  test.each(['TaskAssigned', 'ContentGenerated', 'ContentValidated', 'ContentStored'])('when %s shall be told: it is told later, once', async (type) => {
    const story = await time.begin();
    let tries = 0;
    const { facts } = await run(story, {
      beforeRecord: async (fact) => {
        if (fact.type === type && (tries += 1) < 4) throw new FazendaError('FZ_POSTGRES_AWAY', 'no connection');
        return undefined;
      },
    });
    expect(typesOf(facts)).toEqual(WHOLE);
    expect(tries).toBe(4);
  });

  test('after it took a fact and before it could say so: the story follows what is stored', async () => {
    const story = await time.begin();
    const lost = new Set<string>();
    const { facts, result } = await run(story, {
      afterRecord: async ({ type }) => {
        if (lost.has(type)) return;
        lost.add(type);
        throw new FazendaError('FZ_POSTGRES_AWAY', 'the answer was lost');
      },
    });
    expect(typesOf(facts)).toEqual(WHOLE);
    expect(result).toEqual({ status: 'completed', version: 5 });
    expect(lost.size).toBe(4);
  });
});

describe('told by somebody else', () => {
  /** What another run of the same story would have told. */
  function others(story: SkippedStory): ContentFact[] {
    const taskId = story.id;
    const { contentUri: uri, sha256 } = draftOf(9);
    const at = story.stores.factsOf(taskId)[0]?.at ?? '';
    return [
      { type: 'TaskAssigned', version: 2, at, data: { taskId, attempt: 1, agentId: 'the-other-agent' } },
      { type: 'ContentGenerated', version: 3, at, data: { taskId, attempt: 1, ...draftOf(9) } },
      { type: 'ContentValidated', version: 4, at, data: { taskId, attempt: 1, score: 1 } },
      { type: 'ContentStored', version: 5, at, data: { taskId, uri, sha256, bytes: 9 } },
    ];
  }
  const tellFirst = (story: SkippedStory, count: number): Script['beforeRecord'] => async () => {
    for (const fact of others(story).slice(0, count)) story.stores.tell(story.id, fact);
    return undefined;
  };

  test.each([1, 2, 3, 4])('%i facts: adopted as they are, and the story goes on from there', async (count) => {
    const story = await time.begin();
    const beforeRecord = tellFirst(story, count);
    const { facts, result } = await run(story, { ...(beforeRecord && { beforeRecord }) });
    expect(facts.slice(1, 1 + count)).toEqual(others(story).slice(0, count));
    expect(typesOf(facts)).toEqual(WHOLE);
    expect(result).toEqual({ status: 'completed', version: 5 });
    // Nothing is done again for what was told already.
    const { generate, judge, store } = story.stores.asked;
    expect([generate.length, judge.length, store.length]).toEqual([count < 2 ? 1 : 0, count < 3 ? 1 : 0, count < 4 ? 1 : 0]);
    if (count === 2) expect(judge[0]?.draft.sha256).toBe(draftOf(9).sha256);
  });

  test('while the model is asked: the effect brings the facts, and no model is called', async () => {
    const story = await time.begin();
    let called = false;
    const proposed: string[] = [];
    const { facts } = await run(story, {
      beforeRecord: async ({ type }) => (proposed.push(type), undefined),
      afterRecord: async ({ type }) => {
        if (type === 'TaskAssigned') for (const fact of others(story).slice(1, 2)) story.stores.tell(story.id, fact);
      },
      model: async () => {
        called = true;
      },
    });
    expect(typesOf(facts)).toEqual(WHOLE);
    expect(facts[2]).toEqual(others(story)[1]);
    expect(called).toBe(false);
    expect(proposed).toEqual(['TaskAssigned', 'ContentValidated', 'ContentStored']);
  });
});

test('one that forgot the middle of the story is told it again, the same', async () => {
  const story = await time.begin();
  let forgotten: ContentFact[] = [];
  const { facts } = await run(story, {
    judge: async () => {
      if (forgotten.length === 0) {
        forgotten = story.stores.factsOf(story.id);
        story.stores.facts.set(story.id, forgotten.slice(0, 1));
      }
      return [];
    },
  });
  expect(typesOf(facts)).toEqual(WHOLE);
  expect(facts.slice(0, 3)).toEqual(forgotten);
});

test('one that will never take a fact ends the run, loudly, and tells no other ending', async () => {
  const story = await time.begin();
  const failed = run(story, { beforeRecord: async ({ type }) => (type === 'ContentValidated' ? 'a NUL in its text' : undefined) });
  await expect(failed).rejects.toMatchObject({ cause: { type: 'FZ_RECORD_UNSTORABLE', message: expect.stringContaining('a NUL in its text') } });
  expect(typesOf(story.stores.factsOf(story.id))).toEqual(WHOLE.slice(0, 3));
});

test('an id without a first fact has no story, and its run ends at once', async () => {
  const story = await time.begin();
  story.stores.facts.clear();
  const { result, facts } = await run(story, {});
  expect(result).toEqual({ status: beginning(contentLifecycle).status, version: 0 });
  expect([facts, fold(contentLifecycle, facts).version]).toEqual([[], 0]);
});
