import type { Fact } from './fact';

/**
 * What facts mean to those who count: told by the domain, so that whoever counts knows none. Each is a pure function of
 * one fact; a domain leaves out what it has none of.
 */
export interface Analytics<F extends Fact = Fact> {
  /** The attempt that the fact begins, from 1. */
  attempt?(fact: F): number | undefined;
  /** Why something did not go well, in a few words that many stories share. */
  reasons?(fact: F): readonly string[];
  /** What was earned by it: a decimal text in units with two decimals, `150.10`. */
  revenue?(fact: F): string | undefined;
  /** Pieces of stock that it moves. */
  stock?(fact: F): readonly StockMove[];
}

/** Pieces of one product that were set aside for a story, or set free again. */
export interface StockMove {
  readonly product: string;
  readonly reserved: number;
  readonly released: number;
}
