import { FazendaError } from '../errors';

/** Items of one page: at most, and where the caller does not say. */
export const LIMIT_MAX = 100;
export const LIMIT_PRESET = 50;

/** What stands behind the question mark, as Express parses it: a parameter given twice is a list. */
export type QueryParameters = Readonly<Record<string, unknown>>;

/** The place of a row in a list that goes from new to old. */
export interface Position {
  /** `created_at` as the database writes it, so that no microsecond is lost on the way. */
  readonly at: string;
  readonly id: string;
}

export interface ListQuery {
  readonly limit: number;
  readonly after: Position | undefined;
  readonly status: string | undefined;
}

/**
 * Reads `limit`, `cursor` and, where statuses are given, `status`. A parameter that is empty counts as not given.
 * @throws FazendaError FZ_QUERY_INVALID naming every parameter that is wrong or unknown
 */
export function readListQuery(query: QueryParameters, statuses: readonly string[] = []): ListQuery {
  const faults: { path: string; message: string }[] = [];
  const fault = (path: string, message: string): undefined => void faults.push({ path, message });

  const known = ['limit', 'cursor', ...(statuses.length > 0 ? ['status'] : [])];
  const given = new Map<string, string>();
  for (const [name, value] of Object.entries(query)) {
    if (!known.includes(name)) fault(name, `is unknown; there are ${known.join(', ')}`);
    else if (typeof value !== 'string') fault(name, 'is given more than once');
    else if (value !== '') given.set(name, value);
  }

  const status = given.get('status');
  if (status !== undefined && !statuses.includes(status)) fault('status', `is none of ${statuses.join(', ')}`);
  const limitText = given.get('limit') ?? String(LIMIT_PRESET);
  const limit = /^\d{1,4}$/.test(limitText) ? Number(limitText) : 0;
  if (limit < 1 || limit > LIMIT_MAX) fault('limit', `is no whole number from 1 to ${LIMIT_MAX}`);
  const cursor = given.get('cursor');
  const after = cursor === undefined ? undefined : positionOf(cursor) ?? fault('cursor', 'is none of this list');

  if (faults.length > 0) {
    throw new FazendaError('FZ_QUERY_INVALID', faults.map(({ path, message }) => `${path} ${message}`).join('; '), { fields: faults });
  }
  return { limit, after, status };
}

/** Opaque to callers: base64url of the last row's place. Null where nothing follows. */
export function nextCursor(last: Readonly<Record<string, unknown>> | undefined, key: string): string | null {
  if (!last) return null;
  return Buffer.from(JSON.stringify([String(last.cursor_at), String(last[key])])).toString('base64url');
}

/** Undefined where it is no cursor of ours. */
export function positionOf(cursor: string): Position | undefined {
  try {
    const [at, id, ...more] = JSON.parse(Buffer.from(cursor, 'base64url').toString('utf8')) as unknown[];
    return typeof at === 'string' && typeof id === 'string' && more.length === 0 ? { at, id } : undefined;
  } catch {
    // Not JSON, or no list: not one of our cursors, which the caller says better than this could.
    return undefined;
  }
}
