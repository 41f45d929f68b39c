import { Connection } from '@temporalio/client';
import { loadClientConnectConfig } from '@temporalio/envconfig';
import type { Config } from '../config';
import { pingPostgres, type Queryable } from '../facts/postgres';
import { openKafka } from '../kafka/client';
import type { Producer } from '../kafka/port';
import type { Logger } from '../log';
import type { Checks } from './dependencies';

/** A question to Temporal that has no answer by then is given up, ms. */
const TEMPORAL_ANSWERS_MS = 1_000;

export interface OpenChecks {
  readonly checks: Checks;
  close(): Promise<void>;
}

/**
 * Asks the systems themselves. None has to be there when this begins: each question connects where it
 * must. Kafka counts as up only where the producer can send as well, because that is what it is for.
 */
export function openChecks(config: Config, log: Logger, db: Queryable, producer: Producer): OpenChecks {
  const admin = openKafka(config, log, { retries: 0 }).admin();
  const temporal = Connection.lazy({
    ...loadClientConnectConfig().connectionOptions,
    address: config.TEMPORAL_ADDRESS,
    // Without a bound, a server that was long away would be looked for every two minutes only.
    channelArgs: { 'grpc.initial_reconnect_backoff_ms': 200, 'grpc.max_reconnect_backoff_ms': 1_000 },
  });
  return {
    checks: {
      async kafka() {
        await admin.connect();
        await admin.describeCluster();
        if (!producer.connected) throw new Error('the producer has no connection yet');
      },
      temporal: () => temporal.withDeadline(Date.now() + TEMPORAL_ANSWERS_MS, () => temporal.workflowService.getSystemInfo({})),
      postgres: () => pingPostgres(db),
    },
    async close() {
      await Promise.allSettled([admin.disconnect(), temporal.close()]);
    },
  };
}
