import type { Domain } from '../../workflows/kernel/definition';
import type { Queryable } from '../facts/postgres';

/** How many stories of a domain are not over. */
export async function unfinishedOf(db: Queryable, { view: { table } }: Domain): Promise<number> {
  const { rows } = await db.query<{ count: number }>(`SELECT count(*)::int AS count FROM ${table} WHERE phase <> 'done'`);
  return rows[0]?.count ?? 0;
}

const PAGE = 500;

/** Their ids, page by page. */
export async function* unfinished(db: Queryable, { view: { table, key } }: Domain): AsyncGenerator<string[], void, void> {
  for (let after: string | null = null; ; ) {
    const { rows }: { rows: { id: string }[] } = await db.query<{ id: string }>(
      `SELECT ${key}::text AS id FROM ${table} WHERE phase <> 'done' AND ($1::text IS NULL OR ${key}::text > $1) ORDER BY ${key}::text LIMIT ${PAGE}`, [after]);
    const ids = rows.map((row) => row.id);
    after = ids.at(-1) ?? null;
    if (after === null) return;
    yield ids;
  }
}
