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
  /**
   * SQL that says where the book is not what these facts make of it: `$1` a JSON array of entries, `$2` the ids of all
   * that were looked at, those without an entry too; a row each, `id`, `missing` (it has no row) and a text `said`.
   */
  readonly differences?: string;
}

/** What must be true of a whole table at any moment, whatever is under way. */
export interface Sum {
  /** What its rows are, for whoever reads what an audit found: `product`. */
  readonly of: string;
  /** SQL that says which rows it is not true of: `id` and a text `said`. One statement, so that it sees one moment. */
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
