import type { QueryResultRow } from 'pg';
import { FazendaError } from '../errors';
import type { Prepared, Queryable } from '../facts/postgres';

/**
 * Classes of SQLSTATE that say the server is not able just now, rather than that a statement is wrong:
 * connection exceptions, too few resources, cancelled or shut down by its operator, faults of its disk.
 * https://www.postgresql.org/docs/current/errcodes-appendix.html
 */
const AWAY = /^(08|53|57|58)/;
/** A digit is in every one of them, and in no code of Node such as EPIPE. */
const SQLSTATE = /^(?=.*\d)[0-9A-Z]{5}$/;

/** The same database, whose absence is FZ_POSTGRES_AWAY. Whatever it said of a statement stays as it was. */
export function absenceNamed(db: Queryable): Queryable {
  return {
    async query<Row extends QueryResultRow>(statement: string | Prepared, values?: unknown[]) {
      try {
        return await db.query<Row>(statement, values);
      } catch (thrown) {
        if (isAway(thrown)) throw new FazendaError('FZ_POSTGRES_AWAY', 'PostgreSQL does not answer', {}, thrown);
        throw thrown;
      }
    },
  };
}

/** A fault without SQLSTATE never reached a server: a refused or broken connection, or none free in time. */
function isAway(thrown: unknown): boolean {
  if (!(thrown instanceof Error) || thrown instanceof TypeError) return false;
  const code = 'code' in thrown && typeof thrown.code === 'string' ? thrown.code : '';
  return SQLSTATE.test(code) ? AWAY.test(code) : true;
}
