import fc from 'fast-check';
import { contentLifecycle, type ContentFact, type ContentFacts, type ContentState } from '../workflows/content/lifecycle';
import { beginning, fold, type Placed } from '../workflows/kernel/lifecycle';
import { legalStory, TERMINAL } from './setup/legal-story';

/** Given facts, then state: what a content task is after each of its facts. */

type Type = keyof ContentFacts;

const taskId = '11111111-1111-4111-8111-111111111111';
const templateId = '00000000-0000-4000-8000-000000000001';
const at = (version: number) => `2026-01-01T00:00:0${version}.000Z`;
const failure = { rule: 'long enough', fact: 'words', operator: 'greaterThanInclusive', expected: 40, measured: 2 };

/** What each type says in these stories, unless a test says otherwise. */
const SAYS: { readonly [T in Type]: ContentFacts[T] } = {
  TaskCreated: { eventId: 'e-1', taskId, templateId, priority: 'high', modelType: 'local', timestamp: Date.parse(at(1)), userId: 'ana', variables: { a: 1 } },
  TaskAssigned: { taskId, attempt: 1, agentId: 'agent-1' },
  ContentGenerated: { taskId, attempt: 1, contentUri: 's3://b/drafts/f', sha256: 'f', model: 'local-1', usage: { inputTokens: 1, outputTokens: 2 } },
  ValidationFailed: { taskId, attempt: 1, failures: [failure] },
  ContentValidated: { taskId, attempt: 1, score: 1 },
  ContentStored: { taskId, uri: 's3://b/content/f', sha256: 'f', bytes: 7 },
  TaskFailed: { taskId, reason: 'technical', attempts: 1 },
  TaskCancelled: { taskId, by: 'ana', reason: 'changed my mind' },
};

/** A type, and what its fact says other than above. */
type Step = Type | readonly [Type, object];

/** Facts of these types, in versions 1 to n. */
function given(...steps: readonly Step[]): ContentFact[] {
  return steps.map((step, index) => {
    const [type, data] = typeof step === 'string' ? [step, {}] : step;
    return { type, version: index + 1, at: at(index + 1), data: { ...SAYS[type], ...data } } as ContentFact;
  });
}

const stateAfter = (...steps: readonly Step[]) => fold(contentLifecycle, given(...steps));

describe('given its facts, a task is', () => {
  const TO_DRAFT: Type[] = ['TaskCreated', 'TaskAssigned', 'ContentGenerated'];

  test.each<[Type[], Partial<Placed<ContentState>>]>([
    [[], { status: 'unknown', step: 'unborn', version: 0, movedAt: '', attempts: 0 }],
    [['TaskCreated'], { status: 'pending', step: 'assigning', templateId, modelType: 'local', priority: 'high', userId: 'ana', createdAt: at(1), completedAt: null, attempts: 0, agentId: null, failures: [], reason: null }],
    [['TaskCreated', 'TaskAssigned'], { status: 'processing', step: 'generating', attempts: 1, agentId: 'agent-1', assignedAt: at(2), draft: null }],
    [TO_DRAFT, { status: 'validating', step: 'validating', draft: { uri: 's3://b/drafts/f', sha256: 'f' } }],
    [[...TO_DRAFT, 'ValidationFailed'], { status: 'processing', step: 'assigning', attempts: 1, failures: [failure] }],
    [[...TO_DRAFT, 'ContentValidated'], { status: 'completed', step: 'storing', completedAt: null, stored: null, failures: [] }],
    [[...TO_DRAFT, 'ContentValidated', 'ContentStored'], { status: 'completed', step: 'done', completedAt: at(5), stored: { uri: 's3://b/content/f', sha256: 'f', bytes: 7 }, reason: null }],
    [['TaskCreated', 'TaskFailed'], { status: 'failed', step: 'done', reason: 'technical', completedAt: null }],
    [['TaskCreated', 'TaskCancelled'], { status: 'cancelled', step: 'done', reason: 'changed my mind', completedAt: null }],
  ])('%j', (types, state) => {
    expect(stateAfter(...types)).toMatchObject({ ...state, version: types.length });
  });

  test('in its second attempt: another agent, the old draft gone, the failures still known to it', () => {
    const state = stateAfter(...TO_DRAFT, 'ValidationFailed', ['TaskAssigned', { attempt: 2, agentId: 'agent-2' }]);
    expect(state).toMatchObject({ step: 'generating', attempts: 2, agentId: 'agent-2', assignedAt: at(5), draft: null, failures: [failure] });
  });

  test('free of old failures once a later draft kept all rules', () => {
    expect(stateAfter(...TO_DRAFT, 'ValidationFailed', ['TaskAssigned', { attempt: 2 }], ['ContentGenerated', { attempt: 2 }], 'ContentValidated').failures).toEqual([]);
  });

  test('of the last failures only, when a second draft breaks another rule', () => {
    const other = { ...failure, rule: 'polite' };
    const again: Step[] = [['TaskAssigned', { attempt: 2 }], ['ContentGenerated', { attempt: 2 }], ['ValidationFailed', { attempt: 2, failures: [other] }]];
    expect(stateAfter(...TO_DRAFT, 'ValidationFailed', ...again).failures).toEqual([other]);
  });

  test('without a reason where the cancel gave none', () => {
    expect(stateAfter('TaskCreated', ['TaskCancelled', { reason: null }])).toMatchObject({ status: 'cancelled', reason: null });
  });
});

describe('a fold refuses', () => {
  const [first, second, third] = given('TaskCreated', 'TaskAssigned', 'ContentGenerated') as [ContentFact, ContentFact, ContentFact];

  test.each<[string, ContentFact[]]>([
    ['a story without its beginning', [second]],
    ['a gap', [first, third]],
    ['a fact twice', [first, first]],
    ['facts in another order', [second, first]],
  ])('%s', (_what, facts) => expect(() => fold(contentLifecycle, facts)).toThrow('FZ_FACT_GAP'));

  test('a fact of no known type', () => {
    const strange = { type: 'TaskForgotten', version: 2, at: at(2), data: {} } as object as ContentFact;
    expect(() => fold(contentLifecycle, [first, strange])).toThrow('TaskForgotten');
  });
});

/** CONTRACTS §1, "status after". */
const STATUS_AFTER: Readonly<Record<Type, string>> = {
  TaskCreated: 'pending', TaskAssigned: 'processing', ContentGenerated: 'validating', ValidationFailed: 'processing',
  ContentValidated: 'completed', ContentStored: 'completed', TaskFailed: 'failed', TaskCancelled: 'cancelled',
};

describe('of any legal story', () => {
  const holds = (promise: (story: ContentFact[], state: Placed<ContentState>) => void) =>
    fc.assert(fc.property(legalStory, (story) => promise(story, fold(contentLifecycle, story))), { numRuns: 500 });

  test('the stories drawn here hold every type and every ending', () => {
    const seen = new Set(fc.sample(legalStory, { numRuns: 500, seed: 1 }).map((story) => story.at(-1)?.type));
    expect([...seen].sort()).toEqual(Object.keys(STATUS_AFTER).sort());
  });

  test('the fold has no gap, and says after each fact what the contract says', () => {
    holds((story, state) => {
      expect([state.version, state.movedAt]).toEqual([story.length, story.at(-1)?.at]);
      expect(state.status).toBe(STATUS_AFTER[story.at(-1)?.type ?? 'TaskCreated']);
    });
  });

  test('it is done by its terminal facts and by nothing else', () => {
    holds((story, state) => {
      expect(contentLifecycle.phase(state)).toBe(TERMINAL.includes(story.at(-1)?.type ?? 'TaskCreated') ? 'done' : 'working');
    });
  });

  test('attempts are the assignments, completion is the storing, and its own birth never changes', () => {
    holds((story, state) => {
      expect(state.attempts).toBe(story.filter(({ type }) => type === 'TaskAssigned').length);
      const stored = story.find(({ type }) => type === 'ContentStored');
      expect(state.completedAt).toBe(stored?.at ?? null);
      expect(state.stored === null).toBe(stored === undefined);
      expect(state.createdAt).toBe(story[0]?.at);
    });
  });

  test('a fold in two pieces, or with a state that went through JSON, is the fold at once', () => {
    fc.assert(
      fc.property(legalStory, fc.nat(), (story, cut) => {
        const at = cut % (story.length + 1);
        const half = fold(contentLifecycle, story.slice(0, at));
        const kept = JSON.parse(JSON.stringify(half)) as typeof half;
        const whole = fold(contentLifecycle, story);
        expect(fold(contentLifecycle, story.slice(at), half)).toEqual(whole);
        expect(fold(contentLifecycle, story.slice(at), kept)).toEqual(whole);
      }),
      { numRuns: 500 },
    );
  });

  test('folding changes neither the facts nor the state that it began with', () => {
    fc.assert(
      fc.property(legalStory, (story) => {
        const before = JSON.stringify(story);
        const start = Object.freeze(beginning(contentLifecycle));
        fold(contentLifecycle, story.map((fact) => Object.freeze(fact)), start);
        expect(JSON.stringify(story)).toBe(before);
        expect(start).toEqual(beginning(contentLifecycle));
      }),
    );
  });
});
