import type { Queryable } from '../facts/postgres';
import type { StoredFact } from '../facts/read';
import { booksOf } from '../recover/books';
import type { Found } from './kinds';
import type { Source } from './sources';

/** What effects wrote in the books of a source, beside what the facts of some aggregates make of it; one statement a book. By id. */
export async function compareBooks(db: Queryable, source: Source, byId: ReadonlyMap<string, readonly StoredFact[]>): Promise<Map<string, Found[]>> {
  const found = new Map<string, Found[]>();
  if (byId.size === 0) return found;
  for (const { what, entry, differences } of booksOf(source)) {
    if (differences === undefined) continue;
    const due = [...byId].flatMap(([id, facts]) => entry(id, facts) ?? []);
    const { rows } = await db.query<{ id: string; missing: boolean; said: string }>(differences, [JSON.stringify(due), [...byId.keys()]]);
    for (const { id, missing, said } of rows) found.set(id, [...(found.get(id) ?? []), { kind: missing ? 'book-missing' : 'book-differs', said: `${what}: ${said}` }]);
  }
  return found;
}
