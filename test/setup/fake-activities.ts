import { Context } from '@temporalio/activity';
import type { Activities } from '../../activities';
import type { AssignRequest } from '../../activities/agents';
import { coded } from '../../activities/failure';
import { technicalFault } from '../../activities/model/patience';
import type { Draft, GenerateRequest } from '../../activities/models';
import type { PaymentActivities } from '../../activities/payments';
import type { StockActivities } from '../../activities/stock';
import type { StoreRequest } from '../../activities/storage';
import type { JudgeRequest } from '../../activities/validation';
import type { ContentFact, RuleFailure } from '../../workflows/content/lifecycle';
import type { ContentLimits } from '../../workflows/content/workflow';
import type { Fact, Mail } from '../../workflows/kernel/fact';
import type { Opened, Proposal, Recorded } from '../../workflows/kernel/recording';

const HEARTBEAT_EVERY_MS = 50;

/**
 * FAKES. The time-skipping server judges a story's decisions, and needs no stores for that: facts live in a
 * Map and effects answer by script. What a story can see of a store is kept as `activities/facts.ts` keeps
 * it: the first writer of a version wins, a proposal that was stored before is answered `told` and not
 * `yours` (also to the run that wrote it), nothing is stored without its predecessor, and a refill is told
 * again fact by fact. The faults of a model become failures by the real `technicalFault`.
 */
export class FakeActivities implements Omit<Activities, keyof PaymentActivities | keyof StockActivities> {
  readonly facts = new Map<string, Fact[]>();
  readonly mail = new Map<string, Mail[]>();
  /** Requests in the order in which they came, tries of a model with the server's time of each. */
  readonly asked = { assign: [] as AssignRequest[], generate: [] as (GenerateRequest & { readonly at: number })[], judge: [] as JudgeRequest[], store: [] as StoreRequest[] };

  /** What happens in the place of an effect; a test changes what its story is about. */
  script: Script = {};

  /**
   * `clock`: the server's time, ms. The test server says of a retry that it was scheduled when the try before
   * it failed, without the wait (seen with 1.38.0); a real one counts the wait in. So tries are timed by its clock.
   */
  constructor(readonly limits: ContentLimits, private readonly clock: () => Promise<number>) {}

  factsOf(id: string): ContentFact[] {
    return (this.facts.get(id) ?? []) as ContentFact[];
  }

  /** Somebody else, or the door, tells a fact; false where its version is taken or its predecessor lacks. */
  tell(id: string, fact: Fact): boolean {
    const known = this.facts.get(id) ?? [];
    if (fact.version !== known.length + 1) return false;
    this.facts.set(id, [...known, fact]);
    return true;
  }

  // An activity is called without its object: each is bound.
  readonly recordFacts = async (_domain: string, proposals: readonly Proposal[]): Promise<Recorded[]> =>
    Promise.all(
      proposals.map(async ({ id, version, fact, refill = [] }): Promise<Recorded> => {
        const reason = await this.script.beforeRecord?.(fact as ContentFact, id);
        if (reason) return { id, version, outcome: 'refused', reason };
        for (const known of refill) this.tell(id, known);
        const stored = this.tell(id, fact);
        await this.script.afterRecord?.(fact as ContentFact, id);
        if (stored) return { id, version, outcome: 'yours' };
        const facts = this.factsOf(id).slice(version - 1);
        return facts.length > 0 ? { id, version, outcome: 'told', facts } : { id, version, outcome: 'lacking', has: this.factsOf(id).length };
      }),
    );

  readonly openStories = async (_domain: string, ids: readonly string[]): Promise<Opened<ContentLimits>[]> =>
    ids.map((id) => ({ id, version: 1, facts: this.factsOf(id), mail: this.mail.get(id) ?? [], limits: this.limits }));

  readonly startOwnWorkflows = async (): Promise<void> => {
    throw new Error('a story that has its own workflow already must not leave it');
  };

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
export interface Script {
  readonly assign?: (request: AssignRequest) => Promise<void>;
  /** Whatever it throws is a technical fault of the model. */
  readonly model?: (request: GenerateRequest, cancelled: AbortSignal) => Promise<void>;
  /** Called with the server's time of this try. */
  readonly putDraft?: (at: number) => Promise<void>;
  /** The rules that the draft broke. */
  readonly judge?: (request: JudgeRequest) => Promise<readonly RuleFailure[]>;
  readonly store?: (request: StoreRequest) => Promise<void>;
  /** A text is the reason for which the database will never take the fact. */
  readonly beforeRecord?: (fact: ContentFact, id: string) => Promise<string | undefined>;
  readonly afterRecord?: (fact: ContentFact, id: string) => Promise<void>;
}

/** What the model of these stories writes in an attempt, by reference. */
export function draftOf(attempt: number): Draft {
  const sha256 = String(attempt).repeat(64);
  return { contentUri: `s3://b/drafts/${sha256}`, sha256, model: 'fake-1', usage: { inputTokens: 3, outputTokens: null } };
}
