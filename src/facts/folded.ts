import { domainNamed } from '../../workflows/domains';
import type { Domain } from '../../workflows/kernel/definition';
import type { Fact } from '../../workflows/kernel/fact';
import { beginning, fold, type AnyState, type Placed } from '../../workflows/kernel/lifecycle';

/** One step of a story, as it is told to readers. */
export interface Step {
  readonly version: number;
  /** The status that the story has after this step. */
  readonly status: string;
  /** The type of the fact. */
  readonly event: string;
  /** When it happened: the fact's own time, ISO 8601 UTC. */
  readonly at: string;
}

/** A story as far as its facts were given; the status of a version is the fold of all up to it. */
export class FoldedStory {
  private readonly told: Step[] = [];
  private state: Placed<AnyState>;
  private readonly lifecycle: Domain['lifecycle'];

  constructor(domain: string) {
    this.lifecycle = domainNamed(domain).lifecycle;
    this.state = beginning(this.lifecycle);
  }

  /** Steps 1 to n; the step of version v lies at v − 1. */
  get steps(): readonly Step[] {
    return this.told;
  }

  get version(): number {
    return this.state.version;
  }

  get status(): string {
    return this.state.status;
  }

  /** True when no further step will ever come. */
  get done(): boolean {
    return this.version > 0 && this.lifecycle.phase(this.state) === 'done';
  }

  /** Folds further facts, in order. @throws where there is a gap, or a fact of another domain's. */
  add(facts: readonly Fact[]): void {
    for (const fact of facts) {
      this.state = fold(this.lifecycle, [fact], this.state);
      this.told.push({ version: fact.version, status: this.state.status, event: fact.type, at: fact.at });
    }
  }
}
