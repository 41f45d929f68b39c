import type { Pool } from 'pg';
import { domains } from '../../workflows/domains';
import { entities } from '../entities';
import { DEAD_LETTERS } from '../deadletters/table';
import { NOTIFICATIONS } from '../notify/table';
import { FACT_PLACES } from '../replay/places';
import { WIRE_FORMATS } from '../schemas/table';
import { WINDOW_RESULTS } from '../windows/table';
import { MECHANISM_TABLES } from './schema';
import { STANDING } from './standing';

/** Any number; the same for everyone who migrates, so that only one does at a time. */
const MIGRATION_LOCK = 5_140_611;

/** Makes every table that is missing. Idempotent; several processes may call it at once. */
export async function migrate(pool: Pool): Promise<void> {
  const client = await pool.connect();
  try {
    await client.query('BEGIN');
    await client.query('SELECT pg_advisory_xact_lock($1)', [MIGRATION_LOCK]);
    for (const sql of [...MECHANISM_TABLES, STANDING, WIRE_FORMATS, NOTIFICATIONS, DEAD_LETTERS, FACT_PLACES, WINDOW_RESULTS, ...[...domains, ...entities].flatMap((one) => one.tables)]) await client.query(sql);
    await client.query('COMMIT');
  } catch (cause) {
    await client.query('ROLLBACK');
    throw cause;
  } finally {
    client.release();
  }
}
