import { factsFrom, lastVersions } from '../facts/read';
import type { Queryable } from '../facts/postgres';
import type { FactStore } from './story';

/** Facts as Postgres has them. */
export function postgresStore(db: Queryable): FactStore {
  return {
    from: (domain, id, version) => factsFrom(db, domain, id, version),
    last: (domain, ids) => lastVersions(db, domain, ids),
  };
}
