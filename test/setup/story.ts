import { randomUUID } from 'node:crypto';
import { content } from '../../workflows/content/definition';
import type { ContentFact } from '../../workflows/content/lifecycle';
import type { Fact } from '../../workflows/kernel/fact';
import { fold } from '../../workflows/kernel/lifecycle';
import type { Telling } from '../../src/facts/tell';

/** What a client should hear of `storyOf`: version, event and status of every step. */
export const STEPS = [
  [1, 'TaskCreated', 'pending'],
  [2, 'TaskAssigned', 'processing'],
  [3, 'ContentGenerated', 'validating'],
  [4, 'ContentValidated', 'completed'],
  [5, 'ContentStored', 'completed'],
] as const;

/** A task that went well, fact by fact. */
export function storyOf(taskId: string = randomUUID()): ContentFact[] {
  const templateId = '00000000-0000-4000-8000-000000000001';
  const sha256 = 'f'.repeat(64);
  const at = (second: number) => new Date(Date.UTC(2026, 0, 1, 12, 0, second)).toISOString();
  return [
    {
      type: 'TaskCreated', version: 1, at: at(1),
      data: { eventId: randomUUID(), taskId, templateId, priority: 'normal', modelType: 'local', timestamp: Date.parse(at(1)), userId: 'tester' },
    },
    { type: 'TaskAssigned', version: 2, at: at(2), data: { taskId, attempt: 1, agentId: 'agent-1' } },
    {
      type: 'ContentGenerated', version: 3, at: at(3),
      data: { taskId, attempt: 1, contentUri: 's3://b/draft', sha256, model: 'local', usage: { inputTokens: null, outputTokens: null } },
    },
    { type: 'ContentValidated', version: 4, at: at(4), data: { taskId, attempt: 1, score: 1 } },
    { type: 'ContentStored', version: 5, at: at(5), data: { taskId, uri: 's3://b/content', sha256, bytes: 1 } },
  ];
}

/** A task that nobody could do. */
export function failedStoryOf(taskId: string): ContentFact[] {
  const [created] = storyOf(taskId);
  return [created!, { type: 'TaskFailed', version: 2, at: '2026-01-01T12:00:03.000Z', data: { taskId, reason: 'unknown-model', attempts: 0 } }];
}

/** Facts as `tellFacts` takes them, each with the view after it. */
export function tellingsOf(id: string, facts: readonly ContentFact[]): Telling[] {
  return facts.map((fact, index) => ({ id, fact: fact satisfies Fact, after: fold(content.lifecycle, facts.slice(0, index + 1)) }));
}
