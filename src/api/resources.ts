import type { HttpResource } from '../../workflows/kernel/definition';
import { FazendaError } from '../errors';
import type { Queryable } from '../facts/postgres';
import { nextCursor, readListQuery, type Position, type QueryParameters } from './paging';
import { jsonReply, type Reply } from './reply';
import { oneRow, pageRows, type Row } from './rows';

/**
 * Inserts a row. A row that has the id already is the same request's, whose answer was lost on its way:
 * only a retry with the same Idempotency-Key brings the same fresh id.
 * @throws FazendaError FZ_CONFLICT when the table refuses a second row of the same identity
 */
export async function createRow(db: Queryable, resource: HttpResource, body: unknown, freshId: string): Promise<Reply> {
  const row = resource.row(body as never, freshId);
  const columns = Object.keys(row);
  const { rows } = await db.query<Record<string, unknown>>(
    `INSERT INTO ${resource.table} (${columns.join(', ')}) VALUES (${columns.map((_, index) => `$${index + 1}`).join(', ')})
     ON CONFLICT DO NOTHING RETURNING *`,
    Object.values(row),
  );
  const stored = rows[0] ?? (row.id === freshId ? await rowById(db, resource, freshId) : undefined);
  if (!stored) throw new FazendaError('FZ_CONFLICT', resource.conflict);
  return jsonReply(201, resource.show(stored), { location: `${resource.path}/${String(stored.id)}` });
}

/** A row; where rows have owners, and the caller is kept to the objects of one (`only`), others' are not there. @throws FazendaError FZ_NOT_FOUND */
export async function readRow(db: Queryable, resource: HttpResource, id: string, only?: string): Promise<Reply> {
  const row = await rowById(db, resource, id);
  if (!row || (resource.owner !== undefined && only !== undefined && row[resource.owner] !== only)) throw new FazendaError('FZ_NOT_FOUND', `${resource.path} has no ${id}`);
  return jsonReply(200, resource.show(row));
}

async function rowById(db: Queryable, { table }: HttpResource, id: string): Promise<Row | undefined> {
  return oneRow(db, `SELECT * FROM ${table} WHERE id = $1`, [id]);
}

/** Newest first, by pages. @throws FazendaError FZ_QUERY_INVALID */
export async function listRows(db: Queryable, { table, owner, show }: Pick<HttpResource, 'table' | 'owner' | 'show'>, query: QueryParameters, only?: string): Promise<Reply> {
  const { limit, after } = readListQuery(query);
  const rows = await pageOf(db, table, limit + 1, after, only === undefined || owner === undefined ? undefined : { column: owner, value: only });
  const page = rows.slice(0, limit);
  return jsonReply(200, { items: page.map(show), nextCursor: nextCursor(rows.length > limit ? page.at(-1) : undefined, 'id') });
}

async function pageOf(db: Queryable, table: string, limit: number, after: Position | undefined, where?: { column: string; value: string }): Promise<Row[]> {
  const values: unknown[] = [limit];
  const parameter = (value: unknown): string => `$${values.push(value)}`;
  const terms = [
    ...(after ? [`(created_at, id) < (${parameter(after.at)}, ${parameter(after.id)})`] : []),
    ...(where ? [`${where.column} = ${parameter(where.value)}`] : []),
  ];
  return pageRows(db, `SELECT *, created_at::text AS cursor_at FROM ${table}
    ${terms.length > 0 ? `WHERE ${terms.join(' AND ')}` : ''} ORDER BY created_at DESC, id DESC LIMIT $1`, values);
}
