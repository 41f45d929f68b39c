import type { Pool } from 'pg';
import type { Queryable } from './postgres';

/**
 * Runs work on one connection, between BEGIN and COMMIT; whatever it throws undoes it. A connection that
 * cannot even be rolled back is not given to anyone again.
 */
export async function inTransaction<Result>(pool: Pool, work: (tx: Queryable) => Promise<Result>): Promise<Result> {
  const client = await pool.connect();
  let broken = false;
  try {
    await client.query('BEGIN');
    const result = await work(client);
    await client.query('COMMIT');
    return result;
  } catch (thrown) {
    await client.query('ROLLBACK').catch(() => (broken = true));
    throw thrown;
  } finally {
    client.release(broken);
  }
}
