import fc from 'fast-check';
import type { ContentFact, ContentFacts, FailureReason } from '../../workflows/content/lifecycle';

/**
 * Every story that CONTRACTS §1 and §7 allow, written down without the code under test: which facts may
 * follow a fact, and what each must say. Stories may stop anywhere, because every prefix was once the whole.
 */

type Type = keyof ContentFacts;

/** Attempts at generating, in all; the default of the contract. */
export const ATTEMPTS_MAX = 3;

export const TERMINAL: readonly Type[] = ['ContentStored', 'TaskFailed', 'TaskCancelled'];

/** What may happen next, after a fact of this type and this many assignments. */
export function mayFollow(last: Type | undefined, attempts: number): readonly Type[] {
  switch (last) {
    case undefined:
      return ['TaskCreated'];
    case 'TaskCreated':
      return ['TaskAssigned', 'TaskFailed', 'TaskCancelled'];
    case 'TaskAssigned':
      return ['ContentGenerated', 'TaskFailed', 'TaskCancelled'];
    case 'ContentGenerated':
      return ['ValidationFailed', 'ContentValidated', 'TaskCancelled'];
    case 'ValidationFailed':
      return attempts < ATTEMPTS_MAX ? ['TaskAssigned', 'TaskFailed', 'TaskCancelled'] : ['TaskFailed', 'TaskCancelled'];
    case 'ContentValidated':
      return ['ContentStored'];
    default:
      return [];
  }
}

/** Why a task can fail after a fact of this type. */
function reasonsAfter(last: Type | undefined, attempts: number): readonly FailureReason[] {
  if (last === 'TaskAssigned') return ['technical'];
  if (last === 'ValidationFailed' && attempts >= ATTEMPTS_MAX) return ['validation'];
  return ['unknown-template', 'unknown-model'];
}

/** Stories from TaskCreated to wherever they stop. `seed` makes ids and texts differ between stories. */
export const legalStory: fc.Arbitrary<ContentFact[]> = fc
  .tuple(fc.array(fc.nat(), { maxLength: 16 }), fc.uuid(), fc.string(), fc.option(fc.string()))
  .map(([choices, taskId, text, reason]) => {
    const story: ContentFact[] = [];
    for (const choice of [0, ...choices]) {
      const last = story.at(-1)?.type;
      const attempts = story.filter(({ type }) => type === 'TaskAssigned').length;
      const options = mayFollow(last, attempts);
      const type = options[choice % options.length];
      if (type === undefined) break;
      const reasons = reasonsAfter(last, attempts);
      const failed = { taskId, reason: reasons[choice % reasons.length] ?? 'technical', attempts };
      story.push(factOf(type, story.length + 1, { taskId, attempts, text, failed, reason }));
    }
    return story;
  });

interface Saying {
  readonly taskId: string;
  /** Assignments before this fact. */
  readonly attempts: number;
  readonly text: string;
  readonly failed: ContentFacts['TaskFailed'];
  readonly reason: string | null;
}

function factOf(type: Type, version: number, { taskId, attempts, text, failed, reason }: Saying): ContentFact {
  const at = new Date(Date.UTC(2026, 0, 1) + version * 1_000).toISOString();
  const sha256 = String(attempts).repeat(64);
  const fact = { version, at };
  switch (type) {
    case 'TaskCreated': {
      const data = { eventId: `e-${taskId}`, taskId, templateId: taskId, priority: 'low' as const, modelType: text, timestamp: Date.parse(at), userId: text };
      return { type, ...fact, data };
    }
    case 'TaskAssigned':
      return { type, ...fact, data: { taskId, attempt: attempts + 1, agentId: `agent of ${text}` } };
    case 'ContentGenerated': {
      const usage = { inputTokens: 1, outputTokens: null };
      return { type, ...fact, data: { taskId, attempt: attempts, contentUri: `s3://b/drafts/${sha256}`, sha256, model: text, usage } };
    }
    case 'ValidationFailed': {
      const failures = [{ rule: text, fact: 'words', operator: 'greaterThan', expected: 40, measured: attempts }];
      return { type, ...fact, data: { taskId, attempt: attempts, failures } };
    }
    case 'ContentValidated':
      return { type, ...fact, data: { taskId, attempt: attempts, score: 1 } };
    case 'ContentStored':
      return { type, ...fact, data: { taskId, uri: `s3://b/content/${sha256}`, sha256, bytes: version } };
    case 'TaskFailed':
      return { type, ...fact, data: failed };
    case 'TaskCancelled':
      return { type, ...fact, data: { taskId, by: text, reason } };
  }
}
