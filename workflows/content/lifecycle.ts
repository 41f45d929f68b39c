import type { FactOf, Mail, Told } from '../kernel/fact';
import type { Lifecycle, Phase } from '../kernel/lifecycle';
import type { contentFacts } from './contracts';

/** What can happen to a content task; what each fact says is in its contract. */
export type ContentFacts = Told<typeof contentFacts>;
export type ContentFact = FactOf<ContentFacts>;

export type Priority = ContentFacts['TaskCreated']['priority'];
export type ModelUsage = ContentFacts['ContentGenerated']['usage'];
export type RuleFailure = ContentFacts['ValidationFailed']['failures'][number];
export type FailureReason = ContentFacts['TaskFailed']['reason'];

/** Somebody wants the task to end. */
export type CancelMail = Mail<'cancel', { by: string; reason: string | null }>;

export type ContentStatus = 'unknown' | 'pending' | 'processing' | 'validating' | 'completed' | 'failed' | 'cancelled';

export interface ContentState {
  readonly status: ContentStatus;
  /** What the story does next; finer than the status, which is what readers were promised. */
  readonly step: 'unborn' | 'assigning' | 'generating' | 'validating' | 'storing' | 'done';
  readonly templateId: string;
  readonly modelType: string;
  readonly priority: Priority;
  readonly userId: string;
  readonly createdAt: string;
  readonly completedAt: string | null;
  /** Attempts at generating that were assigned; technical retries are not among them. */
  readonly attempts: number;
  readonly assignedAt: string;
  readonly agentId: string | null;
  readonly draft: { readonly uri: string; readonly sha256: string } | null;
  readonly failures: readonly RuleFailure[];
  readonly stored: { readonly uri: string; readonly sha256: string; readonly bytes: number } | null;
  readonly reason: string | null;
}

const initial: ContentState = {
  status: 'unknown', step: 'unborn', templateId: '', modelType: '', priority: 'normal', userId: '', createdAt: '',
  completedAt: null, attempts: 0, assignedAt: '', agentId: null, draft: null, failures: [], stored: null, reason: null,
};

function evolve(state: ContentState, fact: ContentFact): ContentState {
  switch (fact.type) {
    case 'TaskCreated': {
      const { templateId, modelType, priority, userId } = fact.data;
      return { ...state, status: 'pending', step: 'assigning', templateId, modelType, priority, userId, createdAt: fact.at };
    }
    case 'TaskAssigned': {
      const { attempt, agentId } = fact.data;
      return { ...state, status: 'processing', step: 'generating', attempts: attempt, agentId, assignedAt: fact.at, draft: null };
    }
    case 'ContentGenerated':
      return { ...state, status: 'validating', step: 'validating', draft: { uri: fact.data.contentUri, sha256: fact.data.sha256 } };
    case 'ValidationFailed':
      return { ...state, status: 'processing', step: 'assigning', failures: fact.data.failures };
    case 'ContentValidated':
      return { ...state, status: 'completed', step: 'storing', failures: [] };
    case 'ContentStored': {
      const { uri, sha256, bytes } = fact.data;
      return { ...state, step: 'done', stored: { uri, sha256, bytes }, completedAt: fact.at };
    }
    case 'TaskFailed':
      return { ...state, status: 'failed', step: 'done', reason: fact.data.reason };
    case 'TaskCancelled':
      return { ...state, status: 'cancelled', step: 'done', reason: fact.data.reason };
    default:
      return unknownFact(fact);
  }
}

/** A fact without a case does not compile, because only `never` fits here. */
function unknownFact(fact: never): never {
  throw new Error(`content has no case for ${JSON.stringify(fact)}`);
}

function phase(state: ContentState): Phase {
  return state.step === 'done' ? 'done' : 'working';
}

export const contentLifecycle: Lifecycle<ContentState, ContentFact> = { domain: 'content', initial, evolve, phase };
