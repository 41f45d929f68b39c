import type { Config } from '../config';
import { databaseOf, openClickHouse } from './clickhouse';
import { ANALYTICS_TABLES } from './schema';

/**
 * Makes the database that CLICKHOUSE_URL names, and every table and view that is missing in it. May be run by several
 * at once. @throws FazendaError FZ_ANALYTICS_OFF, FZ_CLICKHOUSE_AWAY
 */
export async function migrateAnalytics(config: Pick<Config, 'CLICKHOUSE_URL'>): Promise<void> {
  const url = config.CLICKHOUSE_URL?.reveal();
  if (url !== undefined) {
    // One whose name is not there yet cannot be connected to.
    const server = openClickHouse(config, 'default');
    try {
      await server.command(`CREATE DATABASE IF NOT EXISTS \`${databaseOf(url).replaceAll('`', '')}\``);
    } finally {
      await server.close();
    }
  }
  const clickhouse = openClickHouse(config);
  try {
    for (const statement of ANALYTICS_TABLES) await clickhouse.command(statement);
  } finally {
    await clickhouse.close();
  }
}
