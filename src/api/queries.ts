import type { Domain, HttpQuery } from '../../workflows/kernel/definition';
import { fold } from '../../workflows/kernel/lifecycle';
import { FazendaError } from '../errors';
import type { Queryable } from '../facts/postgres';
import { beginningOf } from './commands';
import { nextCursor, readListQuery, type QueryParameters } from './paging';
import { jsonReply, type Reply } from './reply';
import { oneRow, pageRows, type Row } from './rows';
import { submissionOf, type KeptRecord } from './submissions';

/**
 * One aggregate, from its view; right after it was accepted, and before its first fact is there, from the
 * row of its acceptance. The ETag is strong and is the version. For a caller who is kept to the objects of
 * one subject (`only`), those of others are not there.
 * @throws FazendaError FZ_NOT_FOUND
 */
export async function readOne(db: Queryable, domain: Domain, query: HttpQuery, id: string, ifNoneMatch: string | undefined, only?: string): Promise<Reply> {
  const row = await rowOf(db, domain, id);
  if (!row || !isOwned(domain, row, only)) throw new FazendaError('FZ_NOT_FOUND', `${query.path} has no ${id}`);
  const etag = `"${String(row.version)}"`;
  // Kept by a cache if it likes, but asked about every time.
  const headers = { etag, 'cache-control': 'no-cache' };
  if (matches(ifNoneMatch, etag)) return { status: 304, headers, body: '' };
  return jsonReply(200, query.show(row), headers);
}

/** True where the caller may see the row: everybody who is not kept to his own, else he whose it is. */
export function isOwned({ view: { owner } }: Domain, row: Row | undefined, only: string | undefined): boolean {
  return only === undefined || (owner !== undefined && row?.[owner] === only);
}

/** Newest first, by pages. @throws FazendaError FZ_QUERY_INVALID */
export async function readList(db: Queryable, domain: Domain, query: HttpQuery, parameters: QueryParameters, only?: string): Promise<Reply> {
  const { table, key, owner } = domain.view;
  const { limit, after, status } = readListQuery(parameters, query.statuses);
  const values: unknown[] = [limit + 1];
  const parameter = (value: unknown): string => `$${values.push(value)}`;
  const terms = [
    ...(only === undefined ? [] : [owner === undefined ? 'false' : `${owner} = ${parameter(only)}`]),
    ...(status === undefined ? [] : [`status = ${parameter(query.statusOf?.(status) ?? status)}`]),
    ...(after ? [`(created_at, ${key}) < (${parameter(after.at)}, ${parameter(after.id)})`] : []),
  ];
  const rows = await pageRows(db, `SELECT *, created_at::text AS cursor_at FROM ${table}
    ${terms.length > 0 ? `WHERE ${terms.join(' AND ')}` : ''} ORDER BY created_at DESC, ${key} DESC LIMIT $1`, values);
  const page = rows.slice(0, limit);
  const cursor = nextCursor(rows.length > limit ? page.at(-1) : undefined, key);
  return jsonReply(200, { items: page.map((row) => query.show(row)), nextCursor: cursor });
}

/** The row of its view, or the one that its first fact will make; undefined where nobody knows the id. */
export async function rowOf(db: Queryable, domain: Domain, id: string): Promise<Row | undefined> {
  return (await viewRow(db, domain, id)) ?? (await acceptedRow(db, domain, id));
}

async function viewRow(db: Queryable, { view }: Domain, id: string): Promise<Row | undefined> {
  return oneRow(db, `SELECT * FROM ${view.table} WHERE ${view.key} = $1`, [id]);
}

/** The view row that fact 1 will make, made from the accepted record by the same door, fold and view. */
async function acceptedRow(db: Queryable, domain: Domain, id: string): Promise<Row | undefined> {
  const key = await keyOf(db, domain, id);
  const submission = key === undefined ? undefined : await submissionOf(db, domain.name, key);
  if (!submission?.sent) return undefined;
  return oneRow(db, `SELECT * FROM json_populate_record(NULL::${domain.view.table}, $1)`, [JSON.stringify(foldedRow(domain, submission.record))]);
}

function foldedRow(domain: Domain, record: KeptRecord): Row {
  const { id, type, at, data, context } = beginningOf(domain, record);
  const state = fold(domain.lifecycle, [{ type, version: 1, at, data, ...(context && { context }) }]);
  return domain.view.row(id, state, domain.lifecycle.phase(state));
}

/** The id as the view's key type writes it, so that upper and lower case find the same; undefined where it is none. */
export async function keyOf(db: Queryable, { view }: Domain, id: string): Promise<string | undefined> {
  const row = await oneRow(
    db, `SELECT ${view.key}::text AS key FROM json_populate_record(NULL::${view.table}, json_build_object('${view.key}', $1::text))`, [id],
  );
  return typeof row?.key === 'string' ? row.key : undefined;
}

/** RFC 9110 §13.1.2: the comparison for If-None-Match is the weak one. */
export function matches(ifNoneMatch: string | undefined, etag: string): boolean {
  if (ifNoneMatch === undefined) return false;
  const wanted = ifNoneMatch.split(',').map((one) => one.trim().replace(/^W\//, ''));
  return wanted.includes('*') || wanted.includes(etag);
}
