import { openAnalytics } from '../src/analytics/consumer';
import { openPool } from '../src/facts/postgres';
import { runProcess } from '../src/process';
import { openMetrics } from './hosting';

/** Connections to PostgreSQL, which it asks for nothing but schemas. */
const POOL_MAX = 2;

/** Moves every event into ClickHouse; idle where there is none. */
void runProcess('analytics', async (running) => {
  const { config, log, onStop, fail } = running;
  await openMetrics('analytics', running);
  if (config.CLICKHOUSE_URL === undefined) return log.warn('CLICKHOUSE_URL is not set: analytics is off');
  const db = openPool(config, 'analytics', POOL_MAX);
  onStop(() => db.end());
  const analytics = openAnalytics({ config, log, db, fail });
  analytics.start();
  onStop(analytics.stop);
});
