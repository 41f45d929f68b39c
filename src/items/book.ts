import type { Book } from '../../workflows/kernel/definition';

/** Rows of items as their events tell them; changes made while events were disabled are told by none. */
export const itemBook: Book = {
  what: 'items',
  entry(id, facts) {
    const [first] = facts;
    if (!first || facts.some(({ type }) => type === 'ItemDeleted')) return undefined;
    const created = first.data as { name: string; sku: string; created_by: string };
    const changes = facts.flatMap(({ data }) => ('changes' in data ? [data.changes as { name?: string; sku?: string }] : []));
    const { name, sku, created_by } = changes.reduce<typeof created>((row, change) => ({ ...row, ...change }), created);
    return { id, name, sku, created_by, created_at: first.at, updated_at: facts.at(-1)?.at, version: facts.length, told: facts.length };
  },
  sql: `
    WITH entered AS (
      INSERT INTO items (id, name, sku, created_by, created_at, updated_at, version, told)
      SELECT r.id, r.name, r.sku, r.created_by, r.created_at, r.updated_at, r.version, r.told
      FROM json_populate_recordset(NULL::items, $1::json) AS r ORDER BY r.id ON CONFLICT DO NOTHING
    ) SELECT '' AS said WHERE FALSE`,
};
