import { Pool, types, type QueryResult, type QueryResultRow } from 'pg';
import { Gauge } from 'prom-client';
import type { Config } from '../config';
import { FazendaError } from '../errors';
import { registry } from '../metrics';

// Views keep UTC in columns without a zone, as their contract says; the driver would read them as local time.
types.setTypeParser(types.builtins.TIMESTAMP, (text) => new Date(`${text.replace(' ', 'T')}Z`));

/** A pool whose connections give up rather than hang: a statement takes 30 s at most, a connection attempt 5 s. */
export function openPool(config: Config, name: string, max = config.DATABASE_POOL_MAX): Pool {
  const pool = new Pool({
    connectionString: config.DATABASE_URL.reveal(),
    application_name: `fazenda-${name}`,
    max,
    connectionTimeoutMillis: 5_000,
    statement_timeout: 30_000,
    keepAlive: true,
  });
  // An idle connection that breaks is replaced by the pool; without a listener it would end the process.
  pool.on('error', () => undefined);
  pools.add(pool);
  return pool;
}

const pools = new Set<Pool>();

new Gauge({
  name: 'fazenda_postgres_connections',
  help: 'Connections of the pools of this process, and requests that wait for one',
  labelNames: ['state'] as const,
  registers: [registry],
  collect() {
    for (const pool of pools) if (pool.ended) pools.delete(pool);
    const sum = (of: (pool: Pool) => number): number => [...pools].reduce((all, pool) => all + of(pool), 0);
    this.set({ state: 'open' }, sum((pool) => pool.totalCount));
    this.set({ state: 'idle' }, sum((pool) => pool.idleCount));
    this.set({ state: 'waiting' }, sum((pool) => pool.waitingCount));
  },
});

/** A statement that each connection plans once and keeps; its name stands for its text. */
export interface Prepared {
  readonly name: string;
  readonly text: string;
}

/** Anything that runs a statement: a pool, or one connection of it inside a transaction. */
export interface Queryable {
  query<Row extends QueryResultRow>(statement: string | Prepared, values?: unknown[]): Promise<QueryResult<Row>>;
}

/**
 * True where PostgreSQL refused the data itself: SQLSTATE class 22 (data exception) or 23 (constraint).
 * Such a statement fails the same way for ever; anything else is the database's own trouble and passes.
 * https://www.postgresql.org/docs/current/errcodes-appendix.html
 */
export function isDataFault(thrown: unknown): boolean {
  return /^(22|23)/.test(sqlStateOf(thrown) ?? '');
}

/** 40P01: two transactions waited for each other; the one that was chosen simply tries again. */
export function isDeadlock(thrown: unknown): boolean {
  return sqlStateOf(thrown) === '40P01';
}

function sqlStateOf(thrown: unknown): string | undefined {
  if (!(thrown instanceof Error) || !('code' in thrown)) return undefined;
  return typeof thrown.code === 'string' ? thrown.code : undefined;
}

/** Runs a statement, again where it lost a deadlock. Idempotent statements only. */
export async function withoutDeadlock<Result>(work: () => Promise<Result>): Promise<Result> {
  for (let left = DEADLOCK_TRIES_MAX; ; left -= 1) {
    try {
      return await work();
    } catch (thrown) {
      if (!isDeadlock(thrown) || left <= 1) throw thrown;
    }
  }
}

const DEADLOCK_TRIES_MAX = 10;

/** Says whether the database answers, for probes. */
export async function pingPostgres(db: Queryable): Promise<void> {
  try {
    await db.query('SELECT 1');
  } catch (cause) {
    throw new FazendaError('FZ_POSTGRES_AWAY', 'PostgreSQL does not answer', {}, cause);
  }
}
