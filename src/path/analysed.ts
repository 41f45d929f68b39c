import { openClickHouse } from '../analytics/clickhouse';
import type { Config } from '../config';
import type { PathLine } from './line';
import type { Stored } from './stored';

/**
 * Which versions of a story are in analytics; it does not know since when. Nothing where there is no analytics.
 * @throws FazendaError FZ_CLICKHOUSE_AWAY, FZ_CLICKHOUSE_EMPTY
 */
export async function analysedLines(config: Config, domain: string, id: string, { facts }: Stored): Promise<PathLine[]> {
  if (!config.CLICKHOUSE_URL || facts.length === 0) return [];
  const clickhouse = openClickHouse(config);
  try {
    const rows = await clickhouse.select<{ version: number }>(
      'SELECT version FROM events WHERE aggregate = {domain: String} AND aggregate_id = {id: String}', { domain, id });
    const there = new Set(rows.map(({ version }) => Number(version)));
    const missing = facts.filter(({ version }) => !there.has(version)).map(({ version }) => version);
    const text = missing.length === 0 ? `all ${facts.length} of its facts are in analytics` : `of its ${facts.length} facts these are not in analytics yet: ${missing.join(', ')}`;
    return [{ at: null, teller: 'analytics', event: 'analysed', text }];
  } finally {
    await clickhouse.close();
  }
}
