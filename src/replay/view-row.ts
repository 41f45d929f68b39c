import type { Domain } from '../../workflows/kernel/definition';
import type { AnyState, Placed } from '../../workflows/kernel/lifecycle';
import { oneRow, type Row } from '../api/rows';
import type { Queryable } from '../facts/postgres';
import { compare, factColumns, type Difference } from './differences';

/** The row of the view as it is stored; undefined where there is none. */
export async function viewRow(db: Queryable, { view: { table, key } }: Domain, id: string): Promise<Row | undefined> {
  return oneRow(db, `SELECT * FROM ${table} WHERE ${key} = $1`, [id]);
}

/** Where the stored row is not the one that the state makes. Both go through the types of the table's columns first. */
export async function compareView(db: Queryable, domain: Domain, id: string, state: Placed<AnyState>): Promise<Difference[]> {
  const { table, key } = domain.view;
  const due = domain.view.row(id, state, domain.lifecycle.phase(state));
  const found = await oneRow(
    db,
    `SELECT to_jsonb(d) AS due, to_jsonb(v) AS there
     FROM json_populate_record(NULL::${table}, $1::json) AS d LEFT JOIN ${table} v ON v.${key} = d.${key}`,
    [JSON.stringify(due)],
  );
  if (!found?.there) return [{ teller: table, field: 'version', expected: state.version, found: null }];
  return compare(table, factColumns(domain, id, state), found.due as object, found.there as object);
}
