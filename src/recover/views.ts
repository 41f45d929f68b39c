import type { Domain } from '../../workflows/kernel/definition';
import { fold } from '../../workflows/kernel/lifecycle';
import type { Queryable } from '../facts/postgres';
import { storiesOf, withoutGap } from './stored';

/**
 * Makes the rows for readers of some aggregates anew from their facts, whatever stands there, and takes away the
 * row of one that has no facts. In a transaction: a row that is there is locked before the facts are read, so that
 * a story that moves meanwhile writes after us; one that is not there yet is never written over.
 */
export async function writeViews(tx: Queryable, domain: Domain, ids: readonly string[]): Promise<void> {
  const { table, key } = domain.view;
  // The ids take the type of the key, whatever it is, so that its index serves.
  const { rows: locked } = await tx.query<{ id: string }>(
    `SELECT v.${key}::text AS id FROM json_populate_recordset(NULL::${table}, $1) AS asked
     JOIN ${table} v ON v.${key} = asked.${key} ORDER BY v.${key} FOR UPDATE OF v`, [JSON.stringify(ids.map((id) => ({ [key]: id })))]);
  const was = new Set(locked.map(({ id }) => id));
  const stories = await storiesOf(tx, domain.name, ids);
  const rows = [...stories].flatMap(([id, stored]) => {
    const facts = withoutGap(stored);
    const state = fold(domain.lifecycle, facts);
    // Without a first fact nothing is known: what stands there is left to whoever mends the facts.
    return facts.length === 0 ? [] : [domain.view.row(id, state, domain.lifecycle.phase(state))];
  });
  const [anew, fresh] = [rows.filter((row) => was.has(String(row[key]))), rows.filter((row) => !was.has(String(row[key])))];
  await upsert(tx, domain, anew, '');
  await upsert(tx, domain, fresh, `WHERE ${table}.version < EXCLUDED.version`);
  const none = [...was].filter((id) => !stories.has(id));
  if (none.length > 0) await tx.query(`DELETE FROM ${table} WHERE ${key}::text = ANY($1)`, [none]);
}

async function upsert(tx: Queryable, { view: { table, key } }: Domain, rows: readonly Readonly<Record<string, unknown>>[], condition: string): Promise<void> {
  const [first] = rows;
  if (!first) return;
  const columns = Object.keys(first);
  const updates = columns.filter((column) => column !== key).map((column) => `${column} = EXCLUDED.${column}`);
  await tx.query(
    `INSERT INTO ${table} (${columns.join(', ')})
     SELECT ${columns.map((column) => `row.${column}`).join(', ')} FROM json_populate_recordset(NULL::${table}, $1::json) AS row ORDER BY row.${key}
     ON CONFLICT (${key}) DO UPDATE SET ${updates.join(', ')} ${condition}`,
    [JSON.stringify(rows)],
  );
}
