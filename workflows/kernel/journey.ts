import { ApplicationFailure, CancellationScope, condition, isCancellation, log, proxyLocalActivities, setCurrentDetails, sleep, type LocalActivityOptions } from '@temporalio/workflow';
import { byKey, coalesce, type Keyed } from './coalesce';
import type { Fact, Mail } from './fact';
import { fold, type AnyState, type Lifecycle, type Placed } from './lifecycle';
import type { Opened, Proposal, Recorded, RecordingActivities, Telling, Told } from './recording';

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

/** How soon a story looks again whether its first fact was recovered, ms: twice as long each time, up to the second. */
const RECOVERED_FIRST_LOOK_MS = 1_000;
const RECOVERED_LOOK_MAX_MS = 30_000;

/** A fact and the state after it. */
interface Step<State extends AnyState, F extends Fact> {
  readonly fact: F;
  readonly after: Placed<State>;
}

/** The kernel's own calls, each batched over the stories of one workflow; made once a domain. */
interface Calls {
  record(proposal: Proposal): Promise<Recorded>;
  leave(story: Keyed): Promise<Keyed>;
}

const callsByDomain = new Map<string, Calls>();

function callsOf(domain: string): Calls {
  const known = callsByDomain.get(domain);
  if (known) return known;
  const calls: Calls = {
    record: coalesce((proposals: Proposal[]) => local.recordFacts(domain, proposals), recordedOf),
    leave: coalesce(async (stories: Keyed[]) => {
      await local.startOwnWorkflows(domain, stories.map(({ id }) => id));
      return stories;
    }),
  };
  callsByDomain.set(domain, calls);
  return calls;
}

function recordedOf(answers: 'yours' | Recorded[]): (proposal: Proposal) => Recorded | undefined {
  return answers === 'yours' ? ({ id, version }) => ({ id, version, outcome: 'yours' }) : byKey(answers);
}

/** A story throws this when it cannot go on where it is and has moved to a workflow of its own. */
export class StoryLeft extends Error {
  override readonly name = 'StoryLeft';
}

/**
 * One aggregate's way through its lifecycle: the state that its stored facts fold to, and the only things a
 * story may do about it: cause an effect, record a fact, or both at once. All answer with what is stored, so
 * that a retried activity, a zombie worker, a reset or a second run of the same story adopt one truth.
 */
export class Journey<State extends AnyState, F extends Fact, Limits = unknown, M extends Mail = Mail> {
  private readonly folded: F[] = [];
  private readonly post: M[] = [];
  private readonly calls: Calls;
  private place: Placed<State>;
  private lookAgainMs = RECOVERED_FIRST_LOOK_MS;

  constructor(
    private readonly lifecycle: Lifecycle<State, F>,
    readonly id: string,
    readonly limits: Limits,
    opened: Opened<Limits>,
    beginning: Placed<State>,
    /** True where other stories share this workflow, and nothing slow may happen. */
    readonly aboardLane: boolean,
  ) {
    this.calls = callsOf(lifecycle.domain);
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

  /** The first mail of one of these types, if any came; mail stays, because a decision may need it more than once. */
  mailOf<Type extends M['type']>(...types: readonly Type[]): Extract<M, { type: Type }> | undefined {
    return this.post.find((mail): mail is Extract<M, { type: Type }> => (types as readonly string[]).includes(mail.type));
  }

  deliver(mail: M): void {
    if (!this.post.some((known) => known.id === mail.id)) this.post.push(mail);
  }

  /**
   * Records one fact and folds what is stored, which may be somebody else's fact in its place. Like all of the hot
   * path not `async`: a promise costs a lane more than anything that is done with it.
   */
  record<Type extends F['type']>(
    type: Type,
    data: Extract<F, { type: Type }>['data'],
    causedBy?: string,
  ): Promise<void> {
    const fact = { type, version: this.next, at: this.now(), data } satisfies Fact as Fact as F;
    const after = fold(this.lifecycle, [fact], this.place);
    const proposal: Proposal = { id: this.id, version: fact.version, fact, after, ...(causedBy && { causedBy }) };
    return this.tell(type, proposal, this.calls.record, { fact, after });
  }

  /** Causes an effect on our own database, whose transaction tells the fact of it; folds what is stored. */
  tellBy<More extends object>(effect: (telling: Telling<Placed<State>> & More) => Promise<Recorded>, more: More): Promise<void> {
    const telling = { ...more, id: this.id, version: this.next, at: this.now(), before: this.place };
    return this.tell('an effect', telling, effect);
  }

  private tell<Ask extends Keyed & { readonly refill?: readonly Fact[] }>(
    what: string, ask: Ask, send: (ask: Ask) => Promise<Recorded>, proposed?: Step<State, F>,
  ): Promise<void> {
    return send(ask).then((recorded) => {
      switch (recorded.outcome) {
        case 'lacking':
          return this.tell(what, { ...ask, refill: this.folded.filter(({ version }) => version > recorded.has) }, send, proposed);
        case 'refused':
          throw ApplicationFailure.nonRetryable(`${what} of ${this.id}: ${recorded.reason}`, 'FZ_RECORD_UNSTORABLE');
        case 'lost':
          return this.recovered().then(() => this.tell(what, ask, send, proposed));
        case 'told':
          return this.adopt(recorded.facts as readonly F[]);
        case 'yours':
          return proposed && this.follow(proposed);
      }
    });
  }

  /**
   * A first fact that the database lost comes back by a recovery alone, and perhaps in hours: those who share the
   * workflow go on without this story, which the sweeper starts once it is there again.
   */
  private async recovered(): Promise<void> {
    log.warn('FZ_FACTS_LOST: a story waits until its first fact is recovered', { domain: this.lifecycle.domain, aggregateId: this.id });
    await this.alone();
    await sleep(this.lookAgainMs);
    this.lookAgainMs = Math.min(this.lookAgainMs * 2, RECOVERED_LOOK_MAX_MS);
  }

  /** Causes an effect for the next version; undefined if that version was told meanwhile, and then the state has moved. */
  async effect<Answer extends object>(answer: Promise<Answer>): Promise<Exclude<Answer, Told> | undefined> {
    const given: object = await answer;
    if (!('told' in given)) return given as Exclude<Answer, Told>;
    this.adopt(given.told as readonly F[]);
    return undefined;
  }

  /** Runs something slow; mail of one of these types cancels it and gives undefined. */
  async unlessMail<Answer>(types: M['type'] | readonly M['type'][], slow: () => Promise<Answer>): Promise<Answer | undefined> {
    const wanted = [types].flat() as readonly M['type'][];
    const work = new CancellationScope();
    const watch = new CancellationScope();
    const watching = watch.run(() => condition(() => this.mailOf(...wanted) !== undefined));
    // The watch ends in one of two ways: mail came, or the work was done and nobody watches any longer.
    void watching.then(() => work.cancel(), () => undefined);
    try {
      return await work.run(slow);
    } catch (cause) {
      if (isCancellation(cause) && this.mailOf(...wanted)) return undefined;
      throw cause;
    } finally {
      watch.cancel();
    }
  }

  /** Waits for mail of one of these types until an instant, ms since 1970; true if mail came in time. */
  async mailUntil(types: readonly M['type'][], deadlineAt: number): Promise<boolean> {
    const came = () => this.mailOf(...types) !== undefined;
    const leftMs = deadlineAt - Date.now();
    if (leftMs <= 0) return came();
    return condition(came, leftMs);
  }

  /** Leaves a lane for the workflow named after the aggregate; does nothing where it is that workflow already. */
  async alone(): Promise<void> {
    if (!this.aboardLane) return;
    await this.leave();
    throw new StoryLeft(this.id);
  }

  /** Starts the workflow named after the aggregate; whoever called it goes no further. */
  async leave(): Promise<void> {
    await this.calls.leave({ id: this.id, version: this.next });
  }

  private adopt(facts: readonly F[]): void {
    const news = facts.filter((fact) => fact.version > this.place.version);
    this.place = fold(this.lifecycle, news, this.place);
    this.folded.push(...news);
    if (news.length > 0) this.show();
  }

  /** The same of one that was folded when it was proposed. */
  private follow({ fact, after }: Step<State, F>): void {
    if (fact.version !== this.next) return;
    this.place = after;
    this.folded.push(fact);
    this.show();
  }

  private show(): void {
    if (!this.aboardLane) setCurrentDetails(this.tellSoFar());
  }

  /** The story so far, for whoever opens the workflow in the Web UI. Costs no history: it is answered by query. */
  private tellSoFar(): string {
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
