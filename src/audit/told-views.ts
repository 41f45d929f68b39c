import type { Domain } from '../../workflows/kernel/definition';
import type { AnyState, Placed } from '../../workflows/kernel/lifecycle';
import type { Queryable } from '../facts/postgres';
import type { Found } from './kinds';
import { factColumns } from '../replay/differences';

interface Expected {
  readonly id: string;
  readonly state: Placed<AnyState>;
}

type Row = Readonly<Record<string, unknown>>;

/**
 * Compares the rows of some aggregates with those that their states make; one statement. Every column has to be
 * the same, but for those that tell when a first fact was received: that no fact says.
 */
export async function compareViews(db: Queryable, domain: Domain, expected: readonly Expected[]): Promise<Map<string, Found>> {
  const { table, key } = domain.view;
  const found = new Map<string, Found>();
  if (expected.length === 0) return found;
  const rows = expected.map(({ id, state }) => domain.view.row(id, state, domain.lifecycle.phase(state)));
  const { rows: other } = await db.query<{ id: string; due: Row; there: Row | null }>(
    `SELECT d.${key}::text AS id, to_jsonb(d) AS due, to_jsonb(v) AS there
     FROM json_populate_recordset(NULL::${table}, $1::json) AS d LEFT JOIN ${table} v ON v.${key} = d.${key}
     WHERE v.${key} IS NULL OR to_jsonb(v) IS DISTINCT FROM to_jsonb(d)`,
    [JSON.stringify(rows)],
  );
  const states = new Map(expected.map(({ id, state }) => [id, state]));
  for (const { id, due, there } of other) {
    const state = states.get(id);
    if (!state) continue;
    const { version } = state;
    if (!there) {
      found.set(id, { kind: 'view-missing', version, said: `${table} has no row, the facts are ${state.status} at version ${version}` });
      continue;
    }
    const wrong = factColumns(domain, id, state).filter((column) => JSON.stringify(due[column]) !== JSON.stringify(there[column]));
    if (wrong.length > 0) found.set(id, { kind: 'view-differs', version, said: wrong.map((column) => `${column} is ${short(there[column])}, due is ${short(due[column])}`).join('; ') });
  }
  return found;
}

const SHORT_MAX = 60;

function short(value: unknown): string {
  const text = JSON.stringify(value) ?? 'nothing';
  return text.length > SHORT_MAX ? `${text.slice(0, SHORT_MAX)}…` : text;
}

/** Rows of aggregates that have no fact at all, by id; of all rows, or of these ids. */
export async function viewOrphans(db: Queryable, { name, view: { table, key } }: Domain, ids?: readonly string[]): Promise<Map<string, Found>> {
  const { rows } = await db.query<{ id: string; version: number | null }>(
    `SELECT v.${key}::text AS id, v.version FROM ${table} v
     WHERE ($2::text[] IS NULL OR v.${key}::text = ANY($2))
       AND NOT EXISTS (SELECT 1 FROM facts f WHERE f.aggregate_type = $1 AND f.aggregate_id = v.${key}::text)`,
    [name, ids ?? null],
  );
  return new Map(rows.map(({ id, version }) => [id, { kind: 'view-orphan' as const, said: `${table} shows it at version ${version ?? 0}` }]));
}
