import { ActivityFailure, ApplicationFailure, proxyActivities, proxyLocalActivities } from '@temporalio/workflow';
import type { Activities } from '../../activities';
import { carryOne, type Ending } from '../kernel/carry';
import { coalesce } from '../kernel/coalesce';
import { LOCAL_PATIENCE, type Journey } from '../kernel/journey';
import type { Begun } from '../kernel/recording';
import { contentLifecycle, type CancelMail, type ContentFact, type ContentState } from './lifecycle';
import { GENERATOR_QUEUE } from './queue';

/** What a story is told of the settings when it begins. */
export interface ContentLimits {
  /** Attempts at generating, in all. */
  readonly attemptsMax: number;
  /** How long technical faults of a model are tried again, from the assignment on. */
  readonly modelDeadlineMs: number;
  /** One call of a model, from start to answer. */
  readonly modelCallTimeoutMs: number;
}

type ContentJourney = Journey<ContentState, ContentFact, ContentLimits, CancelMail>;

/** Short, and the same answer when run again. */
const local = proxyLocalActivities<Activities>(LOCAL_PATIENCE);
const assignAgent = coalesce(local.assignAgents);
const judgeDraft = coalesce(local.judgeDrafts);
const storeContent = coalesce(local.storeContents);

/** One content task: assign, generate, validate, up to the attempts allowed; then store. */
export async function contentWorkflow(taskId: string, begun?: Begun): Promise<Ending> {
  return carryOne(contentLifecycle, contentStory, taskId, begun);
}

async function contentStory(journey: ContentJourney): Promise<void> {
  const taskId = journey.id;

  while (!journey.done) {
    const { state } = journey;

    const cancel = journey.mailOf('cancel');
    if (cancel && state.step !== 'storing') {
      await journey.record('TaskCancelled', { taskId, by: cancel.data.by, reason: cancel.data.reason }, cancel.id);
      continue;
    }

    switch (state.step) {
      case 'assigning': {
        if (state.attempts >= journey.limits.attemptsMax) {
          await journey.record('TaskFailed', { taskId, reason: 'validation', attempts: state.attempts });
          break;
        }
        const { templateId, modelType, priority } = state;
        const assigned = await assignAgent({ id: taskId, version: journey.next, templateId, modelType, priority });
        if ('refused' in assigned) {
          await journey.record('TaskFailed', { taskId, reason: assigned.refused, attempts: state.attempts });
        } else {
          await journey.record('TaskAssigned', { taskId, attempt: state.attempts + 1, agentId: assigned.agentId });
        }
        break;
      }

      case 'generating': {
        await journey.alone();
        const outcome = await journey.unlessMail('cancel', () => generate(journey));
        if (outcome === 'deadline') {
          await journey.record('TaskFailed', { taskId, reason: 'technical', attempts: state.attempts });
        } else if (outcome) {
          await journey.record('ContentGenerated', { taskId, attempt: state.attempts, ...outcome });
        }
        break;
      }

      case 'validating': {
        const { templateId, draft, attempts: attempt } = state;
        const judged = await judgeDraft({ id: taskId, version: journey.next, templateId, draft: draft! });
        if (judged.failures.length > 0) {
          await journey.record('ValidationFailed', { taskId, attempt, failures: judged.failures });
        } else {
          await journey.record('ContentValidated', { taskId, attempt, score: judged.score });
        }
        break;
      }

      case 'storing': {
        const stored = await storeContent({ id: taskId, version: journey.next, draft: state.draft! });
        await journey.record('ContentStored', { taskId, uri: stored.uri, sha256: stored.sha256, bytes: stored.bytes });
        break;
      }

      default:
        throw new Error(`a content story cannot be ${state.step}`);
    }
  }
}

/** Asks the model, again and again, until it answers or the deadline of this attempt has passed. */
async function generate(journey: ContentJourney) {
  const { state, limits, id, next } = journey;
  const { generateDraft } = proxyActivities<Activities>({
    taskQueue: GENERATOR_QUEUE,
    startToCloseTimeout: limits.modelCallTimeoutMs + STORING_A_DRAFT_MS,
    heartbeatTimeout: '10s',
    retry: { initialInterval: '1s', backoffCoefficient: 2, maximumInterval: '30s' },
    summary: `attempt ${state.attempts} · ${state.modelType} · ${state.agentId}`,
  });
  const deadlineAt = Date.parse(state.assignedAt) + limits.modelDeadlineMs;
  const { templateId, modelType, attempts: attempt, failures } = state;
  try {
    const request = { id, version: next, templateId, modelType, attempt, failures, deadlineAt, callTimeoutMs: limits.modelCallTimeoutMs };
    return await journey.effect(generateDraft(request));
  } catch (cause) {
    if (isDeadline(cause)) return 'deadline';
    throw cause;
  }
}

/** Room for putting the draft away after the model answered. */
const STORING_A_DRAFT_MS = 60_000;

function isDeadline(cause: unknown): boolean {
  const why = cause instanceof ActivityFailure ? cause.cause : undefined;
  return why instanceof ApplicationFailure && why.type === 'FZ_MODEL_DEADLINE';
}
