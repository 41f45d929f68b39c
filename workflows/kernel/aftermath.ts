import type { Fact } from './fact';

/** What follows from the facts of a domain outside its view: objects, books, letters. */

/** An object as a fact names it. */
export interface NamedObject {
  /** `s3://bucket/key` */
  readonly uri: string;
  /** Of its bytes, hex. */
  readonly sha256: string;
  /** Its length, where the fact says it. */
  readonly bytes?: number;
}

/**
 * A table that effects of stories wrote, and that can be written again from their facts after a database was lost.
 * Nothing is acted again by it: it says what was done.
 */
export interface Book {
  /** What it keeps, for whoever reads what a recovery did: `reservations of stock`. */
  readonly what: string;
  /** The entry of one aggregate, from all of its facts; undefined where it has none. Pure. */
  entry(id: string, facts: readonly Fact[]): object | undefined;
  /**
   * Idempotent SQL that enters `$1`, a JSON array of entries, where nothing is entered yet. Each row that it
   * returns, a text `said`, is something that could not be entered as it was, for a person to look at.
   */
  readonly sql: string;
}

/** A letter about a fact: to whom, and what it says. Pure; the same fact gives the same letter. */
export interface Notice {
  /** Where the address is: the row of a table by its `id`, a text. No row or no address: no letter, and that is counted. */
  readonly recipient: { readonly table: string; readonly addressColumn: string; id(data: object): string };
  /** One line; whatever would break it is taken out by the sender. */
  subject(data: object): string;
  text(data: object): string;
}
