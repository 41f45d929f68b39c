import type { Fact, Mail } from '../../workflows/kernel/fact';
import type { Opened, Proposal, Recorded, RecordingActivities } from '../../workflows/kernel/recording';

/** Each hook may wait, or throw what a store would; without one, all goes well. */
export interface StoreScript<F extends Fact> {
  /** A text is the reason for which the database will never take the fact. */
  readonly beforeRecord?: (fact: F, id: string) => Promise<string | undefined>;
  readonly afterRecord?: (fact: F, id: string) => Promise<void>;
}

/**
 * FAKES. The time-skipping server judges a story's decisions, and needs no stores for that: facts live in a
 * Map. What a story can see of a store is kept as `activities/facts.ts` keeps it: the first writer of a version
 * wins, a proposal that was stored before is answered `told` and not `yours` (also to the run that wrote it),
 * nothing is stored without its predecessor, and a refill is told again fact by fact.
 */
export abstract class FakeStores<F extends Fact, Limits> implements RecordingActivities {
  readonly facts = new Map<string, Fact[]>();
  readonly mail = new Map<string, Mail[]>();

  /** What happens in the place of an effect; a test changes what its story is about. */
  abstract script: StoreScript<F>;

  constructor(readonly limits: Limits) {}

  factsOf(id: string): F[] {
    return (this.facts.get(id) ?? []) as F[];
  }

  /** Somebody else, or the door, tells a fact; false where its version is taken or its predecessor lacks. */
  tell(id: string, fact: Fact): boolean {
    const known = this.facts.get(id) ?? [];
    if (fact.version !== known.length + 1) return false;
    this.facts.set(id, [...known, fact]);
    return true;
  }

  /** What is stored from a version on, as an answer. */
  protected storedFrom(id: string, version: number): Recorded {
    const facts = this.factsOf(id).slice(version - 1);
    return facts.length > 0 ? { id, version, outcome: 'told', facts } : { id, version, outcome: 'lacking', has: this.factsOf(id).length };
  }

  // An activity is called without its object: each is bound.
  readonly recordFacts = async (_domain: string, proposals: readonly Proposal[]): Promise<Recorded[]> =>
    Promise.all(
      proposals.map(async ({ id, version, fact, refill = [] }): Promise<Recorded> => {
        const reason = await this.script.beforeRecord?.(fact as F, id);
        if (reason) return { id, version, outcome: 'refused', reason };
        for (const known of refill) this.tell(id, known);
        const stored = this.tell(id, fact);
        await this.script.afterRecord?.(fact as F, id);
        return stored ? { id, version, outcome: 'yours' } : this.storedFrom(id, version);
      }),
    );

  readonly openStories = async (_domain: string, ids: readonly string[]): Promise<Opened<Limits>[]> =>
    ids.map((id) => ({ id, version: 1, facts: this.factsOf(id), mail: this.mail.get(id) ?? [], limits: this.limits }));

  readonly startOwnWorkflows = async (): Promise<void> => {
    throw new Error('a story that has its own workflow already must not leave it');
  };
}
