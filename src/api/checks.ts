import type { Client } from '@temporalio/client';
import { openClickHouse } from '../analytics/clickhouse';
import type { Config } from '../config';
import { pingPostgres, type Queryable } from '../facts/postgres';
import { checkWhole } from './whole';
import { openKafka } from '../kafka/client';
import { letGo } from '../kafka/let-go';
import type { Producer } from '../kafka/port';
import type { Logger } from '../log';
import { pingTemporal } from '../temporal/lazy';
import type { Checks } from './dependencies';

export interface OpenChecks {
  readonly checks: Checks;
  close(): Promise<void>;
}

/**
 * Asks the systems themselves. None has to be there when this begins: each question connects where it
 * must. Kafka counts as up only where the producer can send as well, because that is what it is for.
 */
export function openChecks(config: Config, log: Logger, db: Queryable, producer: Producer, temporal: Client): OpenChecks {
  const admin = openKafka(config, log, { retries: 0 }).admin();
  const clickhouse = config.CLICKHOUSE_URL === undefined ? undefined : openClickHouse(config);
  return {
    checks: {
      async kafka() {
        await admin.connect();
        await admin.describeCluster();
        if (!producer.connected) throw new Error('the producer has no connection yet');
      },
      temporal: () => pingTemporal(temporal),
      postgres: () => pingPostgres(db),
      facts: () => checkWhole(db),
      ...(clickhouse && { clickhouse: () => clickhouse.select('SELECT 1') }),
    },
    close: async () => void (await Promise.all([letGo(admin, log), clickhouse?.close()])),
  };
}
