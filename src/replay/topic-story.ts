import type { Domain } from '../../workflows/kernel/definition';
import { beginning, fold, type AnyState, type Placed } from '../../workflows/kernel/lifecycle';
import type { ToldFact } from './told-fact';

/** A fact with the state after it; null where the story cannot be folded that far. */
export interface FoldedStep {
  readonly told: ToldFact;
  readonly state: Placed<AnyState> | null;
}

/**
 * One aggregate as records tell it. Whatever the order in which they come, and however often, it ends the same: of
 * each version counts the record that was on Kafka first.
 */
export class TopicStory {
  private readonly byVersion = new Map<number, ToldFact>();

  constructor(
    readonly domain: Domain,
    readonly id: string,
  ) {}

  add(told: ToldFact): void {
    const known = this.byVersion.get(told.fact.version);
    if (!known || wasBefore(told, known)) this.byVersion.set(told.fact.version, told);
  }

  /** The highest version that is told; 0 where none is. */
  get version(): number {
    return Math.max(0, ...this.byVersion.keys());
  }

  /** Versions below the highest that no record tells. */
  get missing(): number[] {
    return Array.from({ length: this.version }, (_, at) => at + 1).filter((version) => !this.byVersion.has(version));
  }

  /** Every step in order; after a version that is missing, or that its domain cannot fold, without a state. */
  steps(): FoldedStep[] {
    const { lifecycle } = this.domain;
    let state: Placed<AnyState> | null = beginning(lifecycle);
    return [...this.byVersion.values()].toSorted((a, b) => a.fact.version - b.fact.version).map((told) => {
      state = state && next(lifecycle, state, told);
      return { told, state };
    });
  }
}

function next(lifecycle: Domain['lifecycle'], state: Placed<AnyState>, { fact }: ToldFact): Placed<AnyState> | null {
  try {
    return fold(lifecycle, [fact], state);
  } catch {
    // A lifecycle is pure: it throws where a version is missing, or data has not the shape of its type. Then the
    // story is told as far as it goes, and whoever asked is shown where that is.
    return null;
  }
}

/** Within a partition by offset; partitions have no order but that of the clock, and the same one for every reader. */
export function wasBefore(one: Pick<ToldFact, 'place' | 'appendedAt'>, other: Pick<ToldFact, 'place' | 'appendedAt'>): boolean {
  const [a, b] = [one.place, other.place];
  if (a.topic === b.topic && a.partition === b.partition) return a.offset < b.offset;
  if (one.appendedAt !== other.appendedAt) return one.appendedAt < other.appendedAt;
  return a.partition < b.partition;
}
