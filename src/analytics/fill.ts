import { randomUUID } from 'node:crypto';
import { KafkaJSDeleteGroupsError } from 'kafkajs';
import type { Config } from '../config';
import { FazendaError } from '../errors';
import { clusterName, openKafka, PROMPT } from '../kafka/client';
import type { Logger } from '../log';
import type { ClickHouse } from './clickhouse';
import { instantOf } from './event';

/** The name is a contract; it goes by the installation's prefix like every other. */
export const ANALYTICS_GROUP = 'analytics';

/** The one filling of these tables from the topics' beginning. */
export interface Fill {
  /** @throws FazendaError FZ_CLICKHOUSE_EMPTY where the tables are not those any more that it began with; FZ_CLICKHOUSE_AWAY */
  check(): Promise<void>;
}

/**
 * Makes sure that the consumer group began at the beginning for the tables that are there. New tables, or a ClickHouse
 * that was lost, know of no filling: then whatever the group has committed is forgotten before anything is taken.
 * @throws FazendaError FZ_CLICKHOUSE_AWAY, FZ_KAFKA_AWAY; the latter also while others of the group are still at work
 */
export async function beginFill({ clickhouse, config, log }: { clickhouse: ClickHouse; config: Config; log: Logger }): Promise<Fill> {
  let mine = await current(clickhouse);
  if (mine === undefined) {
    await forgetOffsets(config, log);
    await clickhouse.insert('fills', [{ id: randomUUID(), begun_at: instantOf(Date.now()) }]);
    // Of two that began at once, the earlier one counts for both.
    mine = await current(clickhouse);
    log.info({ fill: mine }, 'filling ClickHouse from the beginning of the topics');
  }
  return {
    async check() {
      if ((await current(clickhouse)) !== mine) throw new FazendaError('FZ_CLICKHOUSE_EMPTY', 'the tables of analytics were made anew');
    },
  };
}

async function current(clickhouse: ClickHouse): Promise<string | undefined> {
  const [first] = await clickhouse.select<{ id: string }>('SELECT id FROM fills ORDER BY begun_at, id LIMIT 1');
  return first?.id;
}

async function forgetOffsets(config: Config, log: Logger): Promise<void> {
  const admin = openKafka(config, log, PROMPT).admin();
  try {
    await admin.connect();
    await admin.deleteGroups([clusterName(config, ANALYTICS_GROUP)]);
  } catch (cause) {
    if (!isUnknownGroup(cause)) throw new FazendaError('FZ_KAFKA_AWAY', 'the group of analytics cannot begin anew yet', {}, cause);
  } finally {
    await admin.disconnect();
  }
}

/** Nothing was ever committed: there is nothing to forget. */
function isUnknownGroup(thrown: unknown): boolean {
  const codes = thrown instanceof KafkaJSDeleteGroupsError ? thrown.groups.map(({ errorCode }) => errorCode) : [];
  return codes.length > 0 && codes.every((code) => code === GROUP_ID_NOT_FOUND);
}

/** https://kafka.apache.org/protocol#protocol_error_codes */
const GROUP_ID_NOT_FOUND = 69;
