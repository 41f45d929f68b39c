import type { Domain } from '../../workflows/kernel/definition';
import type { Config } from '../config';
import { openLog } from '../log';
import type { Path } from './line';
import type { PathDeps } from './path';

/** Questions to PostgreSQL that one path asks at once. */
const CONNECTIONS = 6;

/** The way of one story, asked of everybody who knows a part of it, with connections of its own that are closed after. */
export async function askPath(config: Config, domain: Domain, id: string, ask: Pick<PathDeps, 'pushes' | 'say'>): Promise<Path> {
  const { openPool } = await import('../facts/postgres.js');
  const { openCodec } = await import('../kafka/codec.js');
  const { openObjectStore } = await import('../storage/s3.js');
  const { lazyTemporal } = await import('../temporal/lazy.js');
  const { pathOf } = await import('./path.js');
  const log = openLog({ LOG_LEVEL: 'silent' }, 'cli');
  const db = openPool(config, 'cli', CONNECTIONS);
  const store = openObjectStore(config);
  const temporal = lazyTemporal(config);
  try {
    return await pathOf({ ...ask, config, log, db, codec: openCodec(config, db), store, temporal }, domain, id);
  } finally {
    store.close();
    await Promise.allSettled([db.end(), temporal.connection.close()]);
  }
}
