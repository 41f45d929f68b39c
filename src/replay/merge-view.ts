import type { Domain } from '../../workflows/kernel/definition';
import { isDataFault, withoutDeadlock, type Queryable } from '../facts/postgres';

/**
 * Putting rows right under those who write them. A writer writes whole rows, each with its fact and in one
 * transaction with it, and never one over a newer one; so here nothing is written over a newer row either, and
 * what a writer writes meanwhile stands. Nobody is kept waiting for longer than a handful of rows takes.
 */

/** A row of the view, with its id and version as this program knows them. */
export interface DueRow {
  readonly id: string;
  readonly version: number;
  readonly row: Readonly<Record<string, unknown>>;
}

export interface Merged {
  readonly added: number;
  readonly corrected: number;
  /** Whose row is ahead of what is due, so that nothing was done about it. */
  readonly ahead: readonly string[];
  /** Whose row the table's types cannot hold. */
  readonly refused: readonly string[];
}

/** Puts in what is missing and corrects what differs, except where the row is newer. One statement a handful. */
export async function mergeRows(session: Queryable, domain: Domain, due: readonly DueRow[]): Promise<Merged> {
  if (due.length === 0) return { added: 0, corrected: 0, ahead: [], refused: [] };
  try {
    return await withoutDeadlock(() => mergeTogether(session, domain, due));
  } catch (thrown) {
    if (!isDataFault(thrown)) throw thrown;
    if (due.length === 1) return { added: 0, corrected: 0, ahead: [], refused: due.map(({ id }) => id) };
    const half = Math.ceil(due.length / 2);
    const [left, right] = [await mergeRows(session, domain, due.slice(0, half)), await mergeRows(session, domain, due.slice(half))];
    return {
      added: left.added + right.added, corrected: left.corrected + right.corrected,
      ahead: [...left.ahead, ...right.ahead], refused: [...left.refused, ...right.refused],
    };
  }
}

async function mergeTogether(session: Queryable, domain: Domain, due: readonly DueRow[]): Promise<Merged> {
  const { name, view: { table, key } } = domain;
  const { columns, received } = columnsOf(domain);
  const updates = columns.filter((column) => column !== key).map((column) => `${column} = ${received.includes(column) ? keptOrDue(column) : `EXCLUDED.${column}`}`);
  const rows = JSON.stringify(due.map(({ row }) => row));
  const { rows: written } = await session.query<{ added: boolean }>(
    `INSERT INTO ${table} AS now (${columns.join(', ')})
     SELECT ${columns.map((column) => `d.${column}`).join(', ')} FROM json_populate_recordset(NULL::${table}, $2::json) AS d
     -- A first fact that lies on its topic and is in no store was not taken in yet: its door will write its row.
     WHERE d.version > 1 OR EXISTS (SELECT 1 FROM facts f WHERE f.aggregate_type = $1 AND f.aggregate_id = d.${key}::text)
     ORDER BY d.${key}
     ON CONFLICT (${key}) DO UPDATE SET ${updates.join(', ')}
     WHERE COALESCE(now.version, 0) <= EXCLUDED.version
       AND to_jsonb(now.*) - ${leftOut(received)} IS DISTINCT FROM to_jsonb(EXCLUDED.*) - ${leftOut(received)}
     RETURNING xmax = 0 AS added`,
    [name, rows],
  );
  const { rows: ahead } = await session.query<{ id: string }>(
    `SELECT d.${key}::text AS id FROM json_populate_recordset(NULL::${table}, $1::json) AS d
     JOIN ${table} v ON v.${key} = d.${key} WHERE v.version > d.version`, [rows]);
  const added = written.filter((one) => one.added).length;
  return { added, corrected: written.length - added, ahead: ahead.map(({ id }) => id), refused: [] };

  /** When a first fact came in is known to the row alone. */
  function keptOrDue(column: string): string {
    return `CASE WHEN now.version = 1 AND EXCLUDED.version = 1 THEN now.${column} ELSE EXCLUDED.${column} END`;
  }
  function leftOut(names: readonly string[]): string {
    return `CASE WHEN EXCLUDED.version = 1 THEN ARRAY[${names.map((column) => `'${column}'`).join(', ')}]::text[] ELSE '{}'::text[] END`;
  }
}

/** Every column of the view, and those that at version 1 tell when the fact came in. */
function columnsOf({ lifecycle, view }: Domain): { columns: string[]; received: string[] } {
  const born = { ...lifecycle.initial, version: 1, movedAt: '1970-01-01T00:00:00.000Z' };
  const rows = ['1970-01-01T00:00:00.000Z', '1970-01-01T00:00:01.000Z'].map((movedAt): Readonly<Record<string, unknown>> => view.row('', { ...born, movedAt }, 'working'));
  const [one = {}, other = {}] = rows;
  return { columns: Object.keys(one), received: Object.keys(one).filter((column) => one[column] !== other[column]) };
}

/**
 * Rows that are ahead of everything that was told: put back, unless the store holds a fact beyond what is due. The
 * rows are held while the store is asked, in a statement of its own, so that no writer can come between.
 * Runs inside a transaction.
 * @returns how many were put back.
 */
export async function putBack(tx: Queryable, domain: Domain, due: readonly DueRow[]): Promise<number> {
  const { name, view: { table, key } } = domain;
  const { columns } = columnsOf(domain);
  const rows = JSON.stringify(due.map(({ row }) => row));
  await tx.query(
    `SELECT v.${key} FROM ${table} v JOIN json_populate_recordset(NULL::${table}, $1::json) AS d ON d.${key} = v.${key} ORDER BY v.${key} FOR UPDATE OF v`, [rows]);
  const { rowCount } = await tx.query(
    `UPDATE ${table} v SET ${columns.filter((column) => column !== key).map((column) => `${column} = d.${column}`).join(', ')}
     FROM json_populate_recordset(NULL::${table}, $2::json) AS d
     WHERE v.${key} = d.${key} AND v.version > d.version
       AND NOT EXISTS (SELECT 1 FROM facts f WHERE f.aggregate_type = $1 AND f.aggregate_id = d.${key}::text AND f.version > d.version)`,
    [name, rows],
  );
  return rowCount ?? 0;
}

/** Rows that no topic tells of: removed, unless the store holds a fact of theirs. Runs inside a transaction, for the same reason. */
export async function removeUntold(tx: Queryable, { name, view: { table, key } }: Domain, ids: readonly string[]): Promise<number> {
  await tx.query(`SELECT 1 FROM ${table} v WHERE v.${key}::text = ANY($1) ORDER BY v.${key} FOR UPDATE`, [ids]);
  const { rowCount } = await tx.query(
    `DELETE FROM ${table} v WHERE v.${key}::text = ANY($2)
     AND NOT EXISTS (SELECT 1 FROM facts f WHERE f.aggregate_type = $1 AND f.aggregate_id = v.${key}::text)`,
    [name, ids],
  );
  return rowCount ?? 0;
}
