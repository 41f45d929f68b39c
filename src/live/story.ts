import { FazendaError } from '../errors';
import { FoldedStory, type Step } from '../facts/folded';
import { isDataFault } from '../facts/postgres';
import { tellPushed, type TracedFact } from '../tracing/pushed';
import type { LiveLimits } from './limits';

/** Where facts are read from: Postgres, or a test's array. */
export interface FactStore {
  /** Every stored fact of an aggregate from a version on, in order. */
  from(domain: string, id: string, version: number): Promise<readonly TracedFact[]>;
  /** The last stored version of each; one that is missing has no facts. */
  last(domain: string, ids: readonly string[]): Promise<ReadonlyMap<string, number>>;
}

/** Somebody who hears a story: each version after `heard` once, in order, without a gap. */
export interface Follower {
  /** The last version that was sent. */
  heard: number;
  /** Must not wait, and must not throw. */
  send(step: Step): void;
  /** The story cannot be told any further. */
  fail(fault: FazendaError): void;
}

export interface StoryDeps {
  readonly store: FactStore;
  readonly limits: LiveLimits;
  /** A store that is away, for the log; the story goes on trying. */
  readonly onTrouble: (trouble: unknown) => void;
  /** Told of every version that is sent to a follower. */
  readonly pushed?: (domain: string, id: string, version: number) => void;
}

/**
 * One aggregate that somebody follows here. Hints only wake it: what is sent is always what is stored,
 * loaded once for all followers, so that neither the order nor the number of hints can be seen outside.
 */
export class Story {
  private readonly folded: FoldedStory;
  private readonly followers = new Set<Follower>();
  private hinted = 0;
  private stale = false;
  private loading = false;
  private ended = false;
  private wake: () => void = () => undefined;

  constructor(
    private readonly domain: string,
    readonly id: string,
    private readonly deps: StoryDeps,
  ) {
    this.folded = new FoldedStory(domain);
  }

  get empty(): boolean {
    return this.followers.size === 0;
  }

  /** How many follow it. */
  get followed(): number {
    return this.followers.size;
  }

  get done(): boolean {
    return this.folded.done;
  }

  get version(): number {
    return this.folded.version;
  }

  follow(follower: Follower): void {
    this.followers.add(follower);
    this.sendTo(follower);
  }

  unfollow(follower: Follower): void {
    this.followers.delete(follower);
  }

  /** The story has reached this version, says somebody. */
  hint(version: number): void {
    if (version <= this.hinted || version <= this.version) return;
    this.hinted = version;
    this.stir();
  }

  /** Looks for facts that no hint told of. */
  refresh(): void {
    this.stale = true;
    this.stir();
  }

  /** Nobody follows any longer. */
  end(): void {
    this.ended = true;
    this.wake();
  }

  private stir(): void {
    this.wake();
    if (!this.loading) void this.load();
  }

  /** Loads until nothing is known to be missing; there is never more than one load of a story at once. */
  private async load(): Promise<void> {
    const { retryFirstMs, retryMostMs, absentTriesMax } = this.deps.limits;
    this.loading = true;
    let waitMs: number = retryFirstMs;
    let absent = 0;
    while (!this.ended && (this.stale || this.hinted > this.version)) {
      this.stale = false;
      const came = await this.take();
      if (came === 'facts') {
        waitMs = retryFirstMs;
        absent = 0;
      } else if (came === 'trouble' || this.hinted > this.version) {
        // A hint may be ahead of the store: a partner's record is on its topic before it is our fact 1.
        // If it never becomes one, it was no good; the hub's recheck finds whatever comes later.
        if (came === 'nothing') absent += 1;
        if (absent > absentTriesMax) this.hinted = 0;
        else await this.pause(waitMs);
        waitMs = Math.min(waitMs * 2, retryMostMs);
      }
    }
    this.loading = false;
  }

  private async take(): Promise<'facts' | 'nothing' | 'trouble'> {
    const startMs = Date.now();
    try {
      const facts = await this.deps.store.from(this.domain, this.id, this.version + 1);
      if (this.ended || facts.length === 0) return 'nothing';
      this.fold(facts);
      if (this.followers.size > 0) tellPushed(this.domain, this.id, facts, this.followers.size, startMs);
    } catch (thrown) {
      if (thrown instanceof FazendaError || isDataFault(thrown)) this.giveUp(thrown);
      else {
        // The store is away, which is nobody's fault here: followers stay connected and the hint is kept.
        this.stale = true;
        this.deps.onTrouble(thrown);
        return 'trouble';
      }
    }
    return 'facts';
  }

  private fold(facts: readonly TracedFact[]): void {
    try {
      this.folded.add(facts);
    } catch (cause) {
      throw new FazendaError('FZ_FACT_GAP', `${this.domain} ${this.id} cannot be told beyond version ${this.version}`, {}, cause);
    } finally {
      for (const follower of this.followers) this.sendTo(follower);
    }
  }

  private sendTo(follower: Follower): void {
    for (const step of this.folded.steps.slice(follower.heard)) {
      if (!this.followers.has(follower)) return; // It was cut off for being too slow.
      follower.heard = step.version;
      follower.send(step);
      this.deps.pushed?.(this.domain, this.id, step.version);
    }
  }

  private giveUp(thrown: unknown): void {
    this.ended = true;
    const fault = thrown instanceof FazendaError ? thrown : new FazendaError('FZ_INTERNAL', `${this.domain} ${this.id} cannot be read`, {}, thrown);
    this.deps.onTrouble(fault);
    for (const follower of this.followers) follower.fail(fault);
  }

  private pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}
