import type { ContentFact, RuleFailure } from '../workflows/content/lifecycle';
import { draftOf, type Script } from './setup/fake-activities';
import { openSkippedTime, type SkippedStory, type SkippedTime } from './setup/skipped-time';
import { PARTS_TIMEOUT_MS } from './setup/stack';

/** What a content task does, told by the facts that its story records; hours pass in no time. */

let time: SkippedTime;
beforeAll(async () => (time = await openSkippedTime()), PARTS_TIMEOUT_MS);
afterAll(() => time?.close());

const broke = (rule: string): RuleFailure => ({ rule, fact: 'words', operator: 'greaterThan', expected: 40, measured: 2 });
const typesOf = (facts: readonly ContentFact[]) => facts.map(({ type }) => type);
const lastOf = (facts: readonly ContentFact[]) => facts.at(-1)?.data;
const GOOD_END = ['ContentGenerated', 'ContentValidated', 'ContentStored'];

/** A story run to its end, by script; `created` changes what fact 1 says. */
async function tell(script: Script | ((story: SkippedStory) => Script) = {}, created: object = {}) {
  const story = await time.begin(created);
  story.stores.script = typeof script === 'function' ? script(story) : script;
  await story.start();
  return { ...(await story.ended()), id: story.id, stores: story.stores };
}

/** Judges each attempt by turn: the rules that its draft broke. */
const verdicts = (...turns: RuleFailure[][]): NonNullable<Script['judge']> => async () => turns.shift() ?? [];

describe('a draft that keeps its rules', () => {
  test('is assigned, generated, validated and stored, each told once', async () => {
    const { id, facts, result } = await tell();
    expect(result).toEqual({ status: 'completed', version: 5 });
    expect(facts.map(({ version, type, data }) => ({ version, type, data })).slice(1)).toEqual([
      { version: 2, type: 'TaskAssigned', data: { taskId: id, attempt: 1, agentId: 'agent-1' } },
      { version: 3, type: 'ContentGenerated', data: { taskId: id, attempt: 1, ...draftOf(1) } },
      { version: 4, type: 'ContentValidated', data: { taskId: id, attempt: 1, score: 1 } },
      { version: 5, type: 'ContentStored', data: { taskId: id, uri: `s3://b/content/${'1'.repeat(64)}`, sha256: '1'.repeat(64), bytes: 42 } },
    ]);
  });

  test('is never told to have happened before what it follows', async () => {
    const { facts } = await tell();
    expect(facts.map(({ at }) => at)).toEqual(facts.map(({ at }) => at).toSorted());
  });
});

describe('a draft that breaks a rule', () => {
  test('twice, then none: each attempt is assigned anew and told what the last one failed on', async () => {
    const { facts, stores } = await tell({ judge: verdicts([broke('first')], [broke('second')]) });
    const attempt = ['TaskAssigned', 'ContentGenerated', 'ValidationFailed'];
    expect(typesOf(facts)).toEqual(['TaskCreated', ...attempt, ...attempt, 'TaskAssigned', ...GOOD_END]);
    expect(stores.asked.generate.map(({ attempt, failures }) => [attempt, failures.map(({ rule }) => rule)])).toEqual([[1, []], [2, ['first']], [3, ['second']]]);
    // What was judged and stored is the draft of that attempt.
    expect(stores.asked.judge.map(({ draft }) => draft.sha256)).toEqual([1, 2, 3].map((n) => draftOf(n).sha256));
    expect(stores.asked.store[0]?.draft.sha256).toBe(draftOf(3).sha256);
  });

  test('three times: the task fails for its validation after three attempts, and nothing is stored', async () => {
    const { id, facts, result, stores } = await tell({ judge: async ({ version }) => [broke(`v${version}`)] });
    expect(facts.filter(({ type }) => type === 'ValidationFailed').map(({ data }) => data)).toEqual(
      [1, 2, 3].map((attempt) => ({ taskId: id, attempt, failures: [broke(`v${attempt * 3 + 1}`)] })),
    );
    expect(lastOf(facts)).toEqual({ taskId: id, reason: 'validation', attempts: 3 });
    expect(result).toEqual({ status: 'failed', version: facts.length });
    expect([stores.asked.assign.length, stores.asked.generate.length, stores.asked.store.length]).toEqual([3, 3, 0]);
  });
});

describe('a task that was wrong from the start', () => {
  test.each([['templateId', 'unknown-template'], ['modelType', 'unknown-model']])('by its %s fails as %s, without an attempt', async (field, reason) => {
    const { id, facts, stores } = await tell({}, { [field]: 'unknown' });
    expect(typesOf(facts)).toEqual(['TaskCreated', 'TaskFailed']);
    expect(lastOf(facts)).toEqual({ taskId: id, reason, attempts: 0 });
    expect(stores.asked.generate).toEqual([]);
  });
});

describe('technical faults of a model', () => {
  /** Fails the first `times` tries, whatever attempt they belong to. */
  const failing = (times: number): NonNullable<Script['model']> => async () => {
    if (times-- > 0) throw new Error('overloaded');
  };

  test('are tried again with growing waits, within one attempt', async () => {
    const { facts, stores } = await tell({ model: failing(7) });
    expect(typesOf(facts)).toEqual(['TaskCreated', 'TaskAssigned', ...GOOD_END]);
    const tries = stores.asked.generate;
    expect(new Set(tries.map(({ attempt }) => attempt))).toEqual(new Set([1]));
    const waitsS = tries.slice(1).map(({ at }, index) => Math.floor((at - (tries[index]?.at ?? 0)) / 1_000));
    expect(waitsS).toEqual([1, 2, 4, 8, 16, 30, 30]);
  });

  test('leave all attempts to the rules', async () => {
    const { facts } = await tell({ model: failing(5), judge: verdicts([broke('a')], [broke('b')]) });
    expect(facts.filter(({ type }) => type === 'TaskAssigned').map(({ data }) => (data as { attempt: number }).attempt)).toEqual([1, 2, 3]);
    expect(typesOf(facts).slice(-3)).toEqual(GOOD_END);
  });

  test('end the task a quarter of an hour after its assignment, not sooner', async () => {
    const { id, facts, stores } = await tell({ model: failing(Infinity) });
    expect(typesOf(facts)).toEqual(['TaskCreated', 'TaskAssigned', 'TaskFailed']);
    expect(lastOf(facts)).toEqual({ taskId: id, reason: 'technical', attempts: 1 });
    const tookMs = Date.parse(facts[2]?.at ?? '') - Date.parse(facts[1]?.at ?? '');
    expect(tookMs).toBeGreaterThanOrEqual(15 * 60_000);
    expect(tookMs).toBeLessThan(15 * 60_000 + 5_000);
    expect(stores.asked.generate.length).toBeGreaterThan(30);
  });

  test('of a second attempt have a deadline of their own', async () => {
    let faults = 20;
    const model: NonNullable<Script['model']> = async () => {
      if (faults-- > 0) throw new Error('overloaded');
    };
    // Faults for about eight minutes in each of two attempts: more than a quarter of an hour in all.
    const { facts } = await tell({ model, judge: async ({ version }) => ((faults = 20), version < 5 ? [broke('first')] : []) });
    expect(typesOf(facts).slice(-3)).toEqual(GOOD_END);
    expect(Date.parse(facts.at(-1)?.at ?? '') - Date.parse(facts[1]?.at ?? '')).toBeGreaterThan(15 * 60_000);
  });
});
