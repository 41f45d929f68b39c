import { FazendaError } from '../errors';
import { isDataFault, type Queryable } from '../facts/postgres';

/** A row as PostgreSQL gives it, its columns by name. */
export type Row = Readonly<Record<string, unknown>>;

/** The first row of a look-up by id. An id that the key's type cannot hold belongs to nothing, like an unknown one. */
export async function oneRow(db: Queryable, statement: string, values: unknown[]): Promise<Row | undefined> {
  try {
    return (await db.query<Record<string, unknown>>(statement, values)).rows[0];
  } catch (thrown) {
    if (isDataFault(thrown)) return undefined;
    throw thrown;
  }
}

/**
 * The rows of a page. A place that the columns' types cannot hold came from no cursor of ours.
 * @throws FazendaError FZ_QUERY_INVALID
 */
export async function pageRows(db: Queryable, statement: string, values: unknown[]): Promise<Row[]> {
  try {
    return (await db.query<Record<string, unknown>>(statement, values)).rows;
  } catch (thrown) {
    if (!isDataFault(thrown)) throw thrown;
    throw new FazendaError('FZ_QUERY_INVALID', 'cursor is none of this list', { fields: [{ path: 'cursor', message: 'is none of this list' }] }, thrown);
  }
}
