import type { AuditDeps } from '../audit/look';
import { textOf, FazendaError } from '../errors';
import { openLog } from '../log';
import { configOf, KAFKA_VARIABLES, POSTGRES_VARIABLES } from './endpoints';
import { reachable } from './reach';

/** Connections to PostgreSQL that a command may have at once. */
const CONNECTIONS = 4;

/**
 * Everything that tells of stories, opened for one command; `work` gets it, and it is closed after that.
 * @param asksTemporal false where the command goes without it, as it may be what was lost
 */
export async function withTellers<Result>(work: (deps: AuditDeps) => Promise<Result>, asksTemporal = true): Promise<Result> {
  configOf(POSTGRES_VARIABLES);
  const config = configOf(KAFKA_VARIABLES);
  if (!(await reachable(config.KAFKA_BROKERS))) throw new FazendaError('FZ_KAFKA_AWAY', `no broker answers at ${config.KAFKA_BROKERS.join(', ')}`);
  const { openPool } = await import('../facts/postgres.js');
  const { openObjectStore } = await import('../storage/s3.js');
  const { lazyTemporal, pingTemporal } = await import('../temporal/lazy.js');
  const log = openLog({ ...config, LOG_LEVEL: 'silent' }, 'cli');
  const db = openPool(config, 'cli', CONNECTIONS);
  const store = openObjectStore(config);
  const temporal = lazyTemporal(config);
  try {
    if (asksTemporal) await pingTemporal(temporal).catch((thrown: unknown) => {
      throw new FazendaError('FZ_TEMPORAL_AWAY', `Temporal does not answer at ${config.TEMPORAL_ADDRESS} (${textOf(thrown)})`, {}, thrown);
    });
    return await work({ config, log, db, store, temporal });
  } finally {
    store.close();
    await Promise.allSettled([db.end(), temporal.connection.close()]);
  }
}
