import type { Book } from '../../workflows/kernel/definition';
import type { Fact } from '../../workflows/kernel/fact';
import { entityNamed } from '../entities';
import type { Queryable } from '../facts/postgres';
import { SOURCES, type Source } from '../audit/sources';
import { storiesOf, withoutGap } from './stored';

/** The books that follow from the facts of a source. */
export function booksOf({ name, domain }: Source): readonly Book[] {
  return domain?.books ?? entityNamed(name)?.books ?? [];
}

/** What all books keep. */
export function kindsOfBooks(): string[] {
  return SOURCES.flatMap((source) => booksOf(source).map(({ what }) => what));
}

/**
 * Enters in the books of a source what the facts of some aggregates say was done, where it is not entered yet.
 * @returns what could not be entered as it was, each a sentence for a person.
 */
export async function enterInBooks(tx: Queryable, source: Source, ids: readonly string[]): Promise<string[]> {
  const books = booksOf(source);
  if (books.length === 0) return [];
  const stories = [...(await storiesOf(tx, source.name, ids))].map(([id, facts]): [string, Fact[]] => [id, withoutGap(facts)]);
  const said: string[] = [];
  for (const { entry, sql } of books) {
    const entries = stories.flatMap(([id, facts]) => (facts.length === 0 ? [] : (entry(id, facts) ?? [])));
    if (entries.length === 0) continue;
    const { rows } = await tx.query<{ said: string }>(sql, [JSON.stringify(entries)]);
    said.push(...rows.map((row) => row.said));
  }
  return said;
}
