import { z } from 'zod';
import { LIMIT_MAX, LIMIT_PRESET, nextCursor, positionOf, type QueryParameters } from '../api/paging';
import { pageRows } from '../api/rows';
import { FazendaError } from '../errors';
import type { Queryable } from '../facts/postgres';
import { FROM_LETTERS, LISTED, listedOf, STATES, type LetterRow, type Listed } from './store';

/** By what letters are chosen; all that is given has to hold. */
export const selection = z.strictObject({
  code: z.string().min(1).max(100).optional(),
  topic: z.string().min(1).max(300).optional(),
  group: z.string().min(1).max(300).optional(),
  /** Died at this instant or later, ISO 8601. */
  since: z.iso.datetime({ offset: true }).optional(),
  /** Died before this instant. */
  until: z.iso.datetime({ offset: true }).optional(),
  state: z.enum(STATES).optional(),
});
export type Selection = z.infer<typeof selection>;

const listQuery = selection.extend({
  limit: z.string().regex(/^\d{1,4}$/).transform(Number).pipe(z.number().min(1).max(LIMIT_MAX)).optional(),
  cursor: z.string().max(2_000).optional(),
});

export interface Page {
  readonly items: readonly Listed[];
  readonly nextCursor: string | null;
}

/** Newest first, by pages. @throws FazendaError FZ_QUERY_INVALID naming every parameter that is wrong */
export async function listLetters(db: Queryable, parameters: QueryParameters): Promise<Page> {
  const { limit = LIMIT_PRESET, cursor, ...chosen } = read(listQuery, parameters);
  return pageOfLetters(db, chosen, limit, cursor, 'DESC');
}

/** What died in one millisecond stands as it stood on its topic; ids would put offset 100 before 99. */
const PLACE = ['l.died_at', 'l.topic', 'l.partition', 'l.record_offset'];

/** @param order `ASC` for redrives: what died first is put back first. */
export async function pageOfLetters(db: Queryable, chosen: Selection, limit: number, cursor: string | undefined, order: 'ASC' | 'DESC'): Promise<Page> {
  const after = cursor === undefined ? undefined : positionOf(cursor);
  if (cursor !== undefined && !after) throw new FazendaError('FZ_QUERY_INVALID', 'cursor is none of this list', { fields: [{ path: 'cursor', message: 'is none of this list' }] });
  const { terms, values, parameter } = where(chosen);
  if (after) {
    const id = parameter(after.id);
    terms.push(`(${PLACE}) ${order === 'ASC' ? '>' : '<'} (${parameter(after.at)}, split_part(${id}, '/', 1), split_part(${id}, '/', 2)::int, split_part(${id}, '/', 3)::bigint)`);
  }
  const rows = (await pageRows(db, `SELECT ${LISTED} ${FROM_LETTERS} ${terms.length > 0 ? `WHERE ${terms.join(' AND ')}` : ''}
    ORDER BY ${PLACE.join(` ${order}, `)} ${order} LIMIT ${parameter(limit + 1)}`, values)) as LetterRow[];
  const items = rows.slice(0, limit).map(listedOf);
  return { items, nextCursor: rows.length > limit ? cursorAfter(items.at(-1)) : null };
}

/** The cursor of a list that goes on behind this letter. */
export function cursorAfter(letter: Listed | undefined): string | null {
  return nextCursor(letter && { cursor_at: letter.cursor_at, id: letter.id }, 'id');
}

/** Letters of one cause. */
export interface Cause {
  readonly errorCode: string;
  readonly topic: string;
  readonly group: string | null;
  readonly letters: number;
  /** Those that nobody has redriven. */
  readonly open: number;
  readonly oldest: string;
  readonly newest: string;
}

/** Causes, the one with most open letters first; at most 1,000. */
export async function causesOf(db: Queryable, parameters: QueryParameters): Promise<Cause[]> {
  const { terms, values } = where(read(selection, parameters));
  const { rows } = await db.query<{ error_code: string; topic: string; consumer_group: string | null; letters: number; open: number; oldest: Date; newest: Date }>(
    `SELECT l.error_code, l.topic, l.consumer_group, count(*)::int AS letters, (count(*) FILTER (WHERE r.sent_at IS NULL))::int AS open,
       min(l.died_at) AS oldest, max(l.died_at) AS newest
     ${FROM_LETTERS} ${terms.length > 0 ? `WHERE ${terms.join(' AND ')}` : ''}
     GROUP BY 1, 2, 3 ORDER BY open DESC, letters DESC, 1, 2, 3 LIMIT 1000`, values,
  );
  return rows.map((row) => ({
    errorCode: row.error_code, topic: row.topic, group: row.consumer_group, letters: row.letters, open: row.open,
    oldest: row.oldest.toISOString(), newest: row.newest.toISOString(),
  }));
}

const STATE_TERMS: Readonly<Record<(typeof STATES)[number], string>> = {
  open: 'r.letter_id IS NULL',
  unfinished: 'r.letter_id IS NOT NULL AND r.sent_at IS NULL',
  redriven: 'r.sent_at IS NOT NULL',
};

function where({ code, topic, group, since, until, state }: Selection): { terms: string[]; values: unknown[]; parameter(value: unknown): string } {
  const values: unknown[] = [];
  const parameter = (value: unknown): string => `$${values.push(value)}`;
  const terms = [
    ...(code === undefined ? [] : [`l.error_code = ${parameter(code)}`]),
    ...(topic === undefined ? [] : [`l.topic = ${parameter(topic)}`]),
    ...(group === undefined ? [] : [`l.consumer_group = ${parameter(group)}`]),
    ...(since === undefined ? [] : [`l.died_at >= ${parameter(since)}::timestamptz`]),
    ...(until === undefined ? [] : [`l.died_at < ${parameter(until)}::timestamptz`]),
    ...(state === undefined ? [] : [STATE_TERMS[state]]),
  ];
  return { terms, values, parameter };
}

/** A parameter that is empty counts as not given. */
function read<Read>(schema: z.ZodType<Read>, parameters: QueryParameters): Read {
  const parsed = schema.safeParse(Object.fromEntries(Object.entries(parameters).filter(([, value]) => value !== '')));
  if (parsed.success) return parsed.data;
  const fields = parsed.error.issues.map((issue) => ({ path: issue.path.join('.') || (issue.code === 'unrecognized_keys' ? issue.keys.join(', ') : 'query'), message: issue.message }));
  throw new FazendaError('FZ_QUERY_INVALID', fields.map(({ path, message }) => `${path}: ${message}`).join('; '), { fields });
}
