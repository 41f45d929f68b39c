import { Context } from '@temporalio/activity';
import type { Activities } from '../../activities';
import type { AgentActivities, AssignRequest } from '../../activities/agents';
import { coded } from '../../activities/failure';
import { technicalFault } from '../../activities/model/patience';
import type { Draft, GenerateRequest, ModelActivities } from '../../activities/models';
import type { StorageActivities, StoreRequest } from '../../activities/storage';
import type { JudgeRequest, ValidationActivities } from '../../activities/validation';
import type { ContentFact, RuleFailure } from '../../workflows/content/lifecycle';
import type { ContentLimits } from '../../workflows/content/workflow';
import { FakeStores, type StoreScript } from './fake-stores';

/** What a content task may cause. */
type ContentActivities = Pick<Activities, keyof AgentActivities | keyof ModelActivities | keyof StorageActivities | keyof ValidationActivities>;

const HEARTBEAT_EVERY_MS = 50;

/**
 * FAKES of what a content task causes; effects answer by script. The faults of a model become failures by the
 * real `technicalFault`.
 */
export class FakeActivities extends FakeStores<ContentFact, ContentLimits> implements ContentActivities {
  /** Requests in the order in which they came, tries of a model with the server's time of each. */
  readonly asked = { assign: [] as AssignRequest[], generate: [] as (GenerateRequest & { readonly at: number })[], judge: [] as JudgeRequest[], store: [] as StoreRequest[] };

  script: Script = {};

  /**
   * `clock`: the server's time, ms. The test server says of a retry that it was scheduled when the try before
   * it failed, without the wait (seen with 1.38.0); a real one counts the wait in. So tries are timed by its clock.
   */
  constructor(limits: ContentLimits, private readonly clock: () => Promise<number>) {
    super(limits);
  }

  readonly assignAgents: Activities['assignAgents'] = async (requests) =>
    Promise.all(
      requests.map(async (request) => {
        this.asked.assign.push(request);
        const { id, version, templateId, modelType } = request;
        await this.script.assign?.(request);
        if (templateId === 'unknown') return { id, version, refused: 'unknown-template' as const };
        if (modelType === 'unknown') return { id, version, refused: 'unknown-model' as const };
        return { id, version, agentId: `agent-${this.asked.assign.length}` };
      }),
    );

  readonly generateDraft: Activities['generateDraft'] = (request) =>
    coded(async () => {
      const context = Context.current();
      const { info, cancellationSignal } = context;
      const at = await this.clock();
      this.asked.generate.push({ ...request, at });
      const told = this.factsOf(request.id).slice(request.version - 1);
      if (told.length > 0) return { told };
      const began = performance.now();
      // A cancellation comes with the answer to a heartbeat, here as in the real activity.
      const heart = setInterval(() => context.heartbeat(), HEARTBEAT_EVERY_MS);
      try {
        await this.script.model?.(request, cancellationSignal);
      } catch (thrown) {
        cancellationSignal.throwIfAborted();
        const timed = { attempt: info.attempt, currentAttemptScheduledTimestampMs: at };
        throw technicalFault(thrown, { info: timed, elapsedMs: performance.now() - began, deadlineAt: request.deadlineAt });
      } finally {
        clearInterval(heart);
      }
      await this.script.putDraft?.(at);
      return draftOf(request.attempt);
    });

  readonly judgeDrafts: Activities['judgeDrafts'] = async (requests) =>
    Promise.all(
      requests.map(async (request) => {
        this.asked.judge.push(request);
        const failures = (await this.script.judge?.(request)) ?? [];
        return { id: request.id, version: request.version, failures, score: failures.length > 0 ? 0.5 : 1 };
      }),
    );

  readonly storeContents: Activities['storeContents'] = (requests) =>
    coded(() =>
      Promise.all(
        requests.map(async (request) => {
          this.asked.store.push(request);
          await this.script.store?.(request);
          const { id, version, draft } = request;
          return { id, version, uri: draft.uri.replace('drafts', 'content'), sha256: draft.sha256, bytes: 42 };
        }),
      ),
    );
}

/** Each hook may wait, or throw what its effect would; without one, all goes well. */
export interface Script extends StoreScript<ContentFact> {
  readonly assign?: (request: AssignRequest) => Promise<void>;
  /** Whatever it throws is a technical fault of the model. */
  readonly model?: (request: GenerateRequest, cancelled: AbortSignal) => Promise<void>;
  /** Called with the server's time of this try. */
  readonly putDraft?: (at: number) => Promise<void>;
  /** The rules that the draft broke. */
  readonly judge?: (request: JudgeRequest) => Promise<readonly RuleFailure[]>;
  readonly store?: (request: StoreRequest) => Promise<void>;
}

/** What the model of these stories writes in an attempt, by reference. */
export function draftOf(attempt: number): Draft {
  const sha256 = String(attempt).repeat(64);
  return { contentUri: `s3://b/drafts/${sha256}`, sha256, model: 'fake-1', usage: { inputTokens: 3, outputTokens: null } };
}
