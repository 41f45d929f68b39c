import { ApplicationFailure, CancellationScope, condition, isCancellation, proxyLocalActivities, setCurrentDetails, type LocalActivityOptions } from '@temporalio/workflow';
import { coalesce } from './coalesce';
import type { Fact, Mail } from './fact';
import { fold, type AnyState, type Lifecycle, type Placed } from './lifecycle';
import type { Opened, Proposal, Recorded, RecordingActivities, Told } from './recording';

/**
 * Short, idempotent, retried without end: a store that is away makes a story wait, never fail. A wait of
 * more than two seconds is a timer, because a local activity that waits keeps its workflow task alive
 * by heartbeats, three events each, of every open story, for as long as the store is away.
 */
export const LOCAL_PATIENCE = {
  startToCloseTimeout: '10s',
  retry: { initialInterval: '100ms', backoffCoefficient: 2, maximumInterval: '15s' },
  localRetryThreshold: '2s',
} satisfies LocalActivityOptions;

export const local = proxyLocalActivities<RecordingActivities>(LOCAL_PATIENCE);

const recorders = new Map<string, (proposal: Proposal) => Promise<Recorded>>();

function recorderOf(domain: string): (proposal: Proposal) => Promise<Recorded> {
  const known = recorders.get(domain);
  if (known) return known;
  const recorder = coalesce<Proposal, Recorded>((proposals) => local.recordFacts(domain, proposals));
  recorders.set(domain, recorder);
  return recorder;
}

/** A story calls this kind of error when it cannot go on where it is and has moved to a workflow of its own. */
export class StoryLeft extends Error {
  override readonly name = 'StoryLeft';
}

/**
 * One aggregate's way through its lifecycle: the state that its stored facts fold to, and the only two
 * things a story may do about it, cause an effect and record a fact. Both answer with what is stored, so
 * that a retried activity, a zombie worker, a reset or a second run of the same story adopt one truth.
 */
export class Journey<State extends AnyState, F extends Fact, Limits = unknown, M extends Mail = Mail> {
  private readonly folded: F[] = [];
  private readonly post: M[] = [];
  private place: Placed<State>;

  constructor(
    private readonly lifecycle: Lifecycle<State, F>,
    readonly id: string,
    readonly limits: Limits,
    opened: Opened<Limits>,
    beginning: Placed<State>,
    /** True where other stories share this workflow, and nothing slow may happen. */
    readonly aboardLane: boolean,
  ) {
    this.place = beginning;
    this.adopt(opened.facts as readonly F[]);
    for (const mail of opened.mail) this.deliver(mail as M);
  }

  get state(): Placed<State> {
    return this.place;
  }

  get done(): boolean {
    return this.lifecycle.phase(this.place) === 'done';
  }

  /** The version that the next effect or fact will serve. */
  get next(): number {
    return this.place.version + 1;
  }

  /** The first mail of a type, if any came; mail stays, because a decision may need it more than once. */
  mailOf<Type extends M['type']>(type: Type): Extract<M, { type: Type }> | undefined {
    return this.post.find((mail): mail is Extract<M, { type: Type }> => mail.type === type);
  }

  deliver(mail: M): void {
    if (!this.post.some((known) => known.id === mail.id)) this.post.push(mail);
  }

  /** Records one fact and folds what is stored, which may be somebody else's fact in its place. */
  async record<Type extends F['type']>(
    type: Type,
    data: Extract<F, { type: Type }>['data'],
    causedBy?: string,
  ): Promise<void> {
    const fact = { type, version: this.next, at: this.now(), data } satisfies Fact as Fact as F;
    const after = fold(this.lifecycle, [fact], this.place);
    const proposal: Proposal = { id: this.id, version: fact.version, fact, after, ...(causedBy && { causedBy }) };
    const recorder = recorderOf(this.lifecycle.domain);
    let recorded = await recorder(proposal);
    while (recorded.outcome === 'lacking') {
      const { has } = recorded;
      recorded = await recorder({ ...proposal, refill: this.folded.filter((known) => known.version > has) });
    }
    if (recorded.outcome === 'refused') {
      throw ApplicationFailure.nonRetryable(`${type} of ${this.id}: ${recorded.reason}`, 'FZ_RECORD_UNSTORABLE');
    }
    this.adopt(recorded.outcome === 'yours' ? [fact] : (recorded.facts as readonly F[]));
  }

  /** Causes an effect for the next version; undefined if that version was told meanwhile, and then the state has moved. */
  async effect<Answer extends object>(answer: Promise<Answer | Told>): Promise<Answer | undefined> {
    const given = await answer;
    if (!('told' in given)) return given;
    this.adopt(given.told as readonly F[]);
    return undefined;
  }

  /** Runs something slow; mail of that type cancels it and gives undefined. */
  async unlessMail<Answer>(type: M['type'], slow: () => Promise<Answer>): Promise<Answer | undefined> {
    const work = new CancellationScope();
    const watch = new CancellationScope();
    const watching = watch.run(() => condition(() => this.mailOf(type) !== undefined));
    // The watch ends in one of two ways: mail came, or the work was done and nobody watches any longer.
    void watching.then(() => work.cancel(), () => undefined);
    try {
      return await work.run(slow);
    } catch (cause) {
      if (isCancellation(cause) && this.mailOf(type)) return undefined;
      throw cause;
    } finally {
      watch.cancel();
    }
  }

  /** Leaves a lane for the workflow named after the aggregate; does nothing where it is that workflow already. */
  async alone(): Promise<void> {
    if (!this.aboardLane) return;
    await local.startOwnWorkflows(this.lifecycle.domain, [this.id]);
    throw new StoryLeft(this.id);
  }

  private adopt(facts: readonly F[]): void {
    const news = facts.filter((fact) => fact.version > this.place.version);
    this.place = fold(this.lifecycle, news, this.place);
    this.folded.push(...news);
    if (!this.aboardLane && news.length > 0) setCurrentDetails(this.tell());
  }

  /** The story so far, for whoever opens the workflow in the Web UI. Costs no history: it is answered by query. */
  private tell(): string {
    return this.folded.map((fact) => `${fact.version}. **${fact.type}** ${fact.at}`).join('\n');
  }

  /**
   * Workflow time, but never before the fact that it follows: another run's clock may have been ahead.
   * Fact 1 does not bind: its time may be a partner's, and a partner's clock must not move our deadlines.
   */
  private now(): string {
    const now = new Date(Date.now()).toISOString();
    return this.place.version > 1 && now < this.place.movedAt ? this.place.movedAt : now;
  }
}
