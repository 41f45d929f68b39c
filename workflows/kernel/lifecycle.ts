import type { Fact } from './fact';

/** What every state says of itself, whatever its domain. */
export interface AnyState {
  /** The word that readers see; each domain fixes its own. */
  readonly status: string;
}

/** Where a state stands in its history; kept by the kernel, so that no domain can forget to. */
export type Placed<State> = State & {
  /** Version of the last fact folded; 0 before the first. */
  readonly version: number;
  /** Time of the last fact folded. */
  readonly movedAt: string;
};

/**
 * `working`: a run should be moving it. `waiting`: a person or a deadline moves it. `done`: nothing ever will.
 * The sweeper starts what works and does not move; the doors count what is not done.
 */
export type Phase = 'working' | 'waiting' | 'done';

/**
 * What became of a request that somebody waits for. `granted`, `refused`: the story has decided, for good.
 * `unheeded`: the story takes no notice of it, but its own outcome may still be the one that was asked for.
 */
export type Verdict = 'granted' | 'refused' | 'unheeded';

/** One fold a domain: pure, total, and the only place where a fact turns into state. */
export interface Lifecycle<State extends AnyState, F extends Fact> {
  readonly domain: string;
  readonly initial: State;
  evolve(state: State, fact: F): State;
  phase(state: State): Phase;
  /** What a state says of mail of this type; undefined while it is still open. Only where a domain has updates. */
  verdict?(state: State, mailType: string): Verdict | undefined;
}

export function beginning<State extends AnyState, F extends Fact>(lifecycle: Lifecycle<State, F>): Placed<State> {
  return { ...lifecycle.initial, version: 0, movedAt: '' };
}

/** Folds facts, in the order of their versions, onto a state. A gap is a fault of the caller and throws. */
export function fold<State extends AnyState, F extends Fact>(
  lifecycle: Lifecycle<State, F>,
  facts: readonly F[],
  from: Placed<State> = beginning(lifecycle),
): Placed<State> {
  let state = from;
  for (const fact of facts) {
    if (fact.version !== state.version + 1) {
      throw new Error(`FZ_FACT_GAP: ${lifecycle.domain} has version ${state.version} and was given ${fact.version}`);
    }
    state = { ...lifecycle.evolve(state, fact), version: fact.version, movedAt: fact.at };
  }
  return state;
}
