import { KafkaJSProtocolError } from 'kafkajs';
import { domains } from '../../workflows/domains';
import type { Config } from '../config';
import { clusterName, openKafka, PROMPT } from '../kafka/client';
import { FACT_TOPICS, GATEWAY_GROUP } from '../live/hints';
import type { Logger } from '../log';
import { NOTIFICATIONS_GROUP, noticesByTopic } from '../notify/compose';

/** How far one of our groups is behind on one topic. */
export interface GroupLag {
  readonly group: string;
  readonly topic: string;
  /** Records not taken yet, over all partitions; null where the group has never taken any. */
  readonly records: number | null;
}

/** Our groups and what they read, by their names in the contracts. */
function groups(): Map<string, Set<string>> {
  const all = new Map<string, Set<string>>([[GATEWAY_GROUP, new Set(FACT_TOPICS)]]);
  for (const { doors } of domains) {
    for (const { group, topic } of doors) all.set(group, (all.get(group) ?? new Set()).add(topic));
  }
  all.set(NOTIFICATIONS_GROUP, new Set(noticesByTopic().keys()));
  return all;
}

/** Asks the broker for every group of ours. */
export async function groupLags(config: Config, log: Logger): Promise<GroupLag[]> {
  const admin = openKafka(config, log, PROMPT).admin();
  await admin.connect();
  try {
    const there = new Set(await admin.listTopics());
    const lags: GroupLag[] = [];
    for (const [group, topics] of groups()) {
      for (const topic of topics) {
        const name = clusterName(config, topic);
        if (!there.has(name)) continue;
        const ends = new Map((await admin.fetchTopicOffsets(name)).map(({ partition, high }) => [partition, BigInt(high)]));
        const [taken] = await onceCoordinated(() => admin.fetchOffsets({ groupId: clusterName(config, group), topics: [name] }));
        lags.push({ group, topic, records: behind(ends, taken?.partitions ?? []) });
      }
    }
    return lags;
  } finally {
    await admin.disconnect();
  }
}

/** A broker that has never had a group needs a moment to become the coordinator of one; kafkajs does not wait here. */
async function onceCoordinated<Answer>(ask: () => Promise<Answer>): Promise<Answer> {
  for (let left = COORDINATOR_TRIES_MAX; ; left -= 1) {
    try {
      return await ask();
    } catch (thrown) {
      const settling = thrown instanceof KafkaJSProtocolError && /COORDINATOR/.test(thrown.type);
      if (!settling || left <= 1) throw thrown;
      await new Promise((resolve) => setTimeout(resolve, COORDINATOR_WAIT_MS));
    }
  }
}

const COORDINATOR_TRIES_MAX = 40;
const COORDINATOR_WAIT_MS = 250;

/** A partition without a committed offset reads −1; where all do, the group has not begun. */
function behind(ends: ReadonlyMap<number, bigint>, taken: readonly { partition: number; offset: string }[]): number | null {
  const begun = taken.filter(({ offset }) => BigInt(offset) >= 0n);
  if (begun.length === 0) return null;
  const at = new Map(begun.map(({ partition, offset }) => [partition, BigInt(offset)]));
  return [...ends].reduce((sum, [partition, end]) => sum + Number(end - (at.get(partition) ?? 0n)), 0);
}
