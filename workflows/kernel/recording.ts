import type { Fact, Mail } from './fact';
import type { Keyed } from './coalesce';

/** One fact that a story wants to have happened. */
export interface Proposal extends Keyed {
  readonly fact: Fact;
  /** The state after it, from which the view row is made in the same transaction. */
  readonly after: object;
  /** `ce_id` of the signal that caused it; without one, the fact before it is the cause. */
  readonly causedBy?: string;
  /**
   * The facts before this one that the run has folded, sent only after the store said that it lacks
   * them (a database restored to an earlier day): the story is told again before it goes on.
   */
  readonly refill?: readonly Fact[];
}

/**
 * An effect on our own PostgreSQL, which tells its fact itself, in its own transaction: the effect is made
 * exactly where the fact is stored. It answers with what is stored from this version on, or `lacking`.
 */
export interface Telling<State = object> extends Keyed {
  /** The time of the fact. */
  readonly at: string;
  /** The state that it follows. */
  readonly before: State;
  /** `ce_id` of the mail that caused it; without one, the fact before it is the cause. */
  readonly causedBy?: string;
  readonly refill?: readonly Fact[];
}

/**
 * What is stored. `yours`: exactly the proposal. `told`: somebody else wrote this version first, and here
 * is every stored fact from it on. `lacking`: the store ends before the predecessor, at version `has`.
 * `refused`: the database will never take this data; the story cannot go on until its code is mended.
 * `lost`: the first fact is not stored any more (FZ_FACTS_LOST); the story waits until it is recovered.
 */
export type Recorded = Keyed &
  (
    | { readonly outcome: 'yours' }
    | { readonly outcome: 'told'; readonly facts: readonly Fact[] }
    | { readonly outcome: 'lacking'; readonly has: number }
    | { readonly outcome: 'refused'; readonly reason: string }
    | { readonly outcome: 'lost' }
  );

/** What a run needs to begin: everything that happened, what has been sent to it, and its limits. */
export interface Opened<Limits> extends Keyed {
  readonly facts: readonly Fact[];
  readonly mail: readonly Mail[];
  readonly limits: Limits;
}

/**
 * What whoever starts a workflow knows of its stories already: the first fact of those that have nothing else, no fact
 * behind it and no mail. Such a story need not be opened first. It may be out of date when the workflow begins, as an
 * opened one may be a moment later: what is told then says so.
 */
export interface Begun {
  readonly limits: unknown;
  readonly stories: readonly { readonly id: string; readonly first: Fact }[];
}

/** An effect whose version is already told acts no more; it brings the facts instead. */
export interface Told {
  readonly told: readonly Fact[];
}

/** The local activities of the kernel, one implementation for all domains (activities/facts.ts). */
export interface RecordingActivities {
  /**
   * What is stored of each. A word for all is nearly always enough, and a list of a hundred words would be most of what
   * a lane's history holds.
   */
  recordFacts(domain: string, proposals: readonly Proposal[]): Promise<'yours' | Recorded[]>;
  /**
   * Opens stories in the order given: as many as fit into an answer of 1 MiB, and one at least. Those that
   * are missing in the answer are to be asked for again.
   */
  openStories(domain: string, ids: readonly string[]): Promise<Opened<unknown>[]>;
  /** Starts, for each id, the workflow named after the aggregate; one that runs already stays as it is. */
  startOwnWorkflows(domain: string, ids: readonly string[]): Promise<void>;
}
