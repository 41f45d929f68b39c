import { domains } from '../../workflows/domains';
import { eventTopics } from '../analytics/event';
import { ANALYTICS_GROUP } from '../analytics/fill';
import type { Config } from '../config';
import { FACT_TOPICS, GATEWAY_GROUP } from '../live/hints';
import { NOTIFICATIONS_GROUP, noticesByTopic } from '../notify/compose';
import { QUEUE_GROUP } from '../notify/kafka-queue';
import { QUEUE } from '../notify/queue';

/**
 * Consumer groups of ours and the topics that each reads, by their names in the contracts. A group is here only while
 * somebody is meant to read by it: what nobody reads would be behind for ever.
 */
export function ourGroups({ AMQP_URL, CLICKHOUSE_URL }: Pick<Config, 'AMQP_URL' | 'CLICKHOUSE_URL'>): ReadonlyMap<string, readonly string[]> {
  const groups = new Map<string, Set<string>>([[GATEWAY_GROUP, new Set(FACT_TOPICS)]]);
  for (const { doors } of domains) {
    for (const { group, topic } of doors) groups.set(group, (groups.get(group) ?? new Set()).add(topic));
  }
  groups.set(NOTIFICATIONS_GROUP, new Set(noticesByTopic().keys()));
  if (!AMQP_URL) groups.set(QUEUE_GROUP, new Set([QUEUE]));
  if (CLICKHOUSE_URL) groups.set(ANALYTICS_GROUP, new Set(eventTopics()));
  return new Map([...groups].map(([group, topics]) => [group, [...topics]]));
}
