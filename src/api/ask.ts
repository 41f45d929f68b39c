import type { Ask } from '../../workflows/kernel/definition';
import type { Queryable } from '../facts/postgres';

/** Names of tables and columns come from definitions, never from a request; this keeps it so. */
const NAME = /^[a-z_][a-z0-9_]*$/;

/** Answers a command's questions from Postgres. A list as value asks whether the column holds all of it. */
export function askOf(db: Queryable): Ask {
  return {
    async exists(table, where) {
      const columns = Object.entries(where);
      for (const name of [table, ...columns.map(([column]) => column)]) {
        if (!NAME.test(name)) throw new Error(`${name} is no name of a table or column`);
      }
      const terms = columns.map(([column, value], index) => `${column} ${Array.isArray(value) ? '@>' : '='} $${index + 1}`);
      const { rows } = await db.query<{ found: boolean }>(
        `SELECT EXISTS (SELECT FROM ${table} WHERE ${terms.join(' AND ') || 'true'}) AS found`,
        columns.map(([, value]) => value),
      );
      return rows[0]?.found === true;
    },
    async missing(table, column, values) {
      for (const name of [table, column]) if (!NAME.test(name)) throw new Error(`${name} is no name of a table or column`);
      const { rows } = await db.query<{ wanted: string }>(
        `SELECT DISTINCT wanted FROM unnest($1::text[]) AS wanted WHERE NOT EXISTS (SELECT FROM ${table} WHERE ${column} = wanted)`,
        [values],
      );
      return rows.map(({ wanted }) => wanted);
    },
  };
}
