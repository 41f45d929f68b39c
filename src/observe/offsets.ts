import { KafkaJSProtocolError, type Admin } from 'kafkajs';
import { clusterName, type Naming } from '../kafka/client';

/** How far a group is behind in one partition. */
export interface PartitionLag {
  readonly group: string;
  readonly topic: string;
  readonly partition: number;
  /** The first offset that was not taken yet. */
  readonly next: bigint;
  readonly records: number;
  /** False where the group has never committed in this partition. */
  readonly begun: boolean;
}

/**
 * Asks the broker how far each group is behind, partition by partition; a topic that is not there is left out. What a
 * group has never committed it has still to take, from the first record that is there.
 */
export async function lagsOf(admin: Admin, config: Naming, groups: ReadonlyMap<string, readonly string[]>): Promise<PartitionLag[]> {
  const there = new Set(await admin.listTopics());
  const read = new Set([...groups.values()].flat().filter((topic) => there.has(clusterName(config, topic))));
  const ends = new Map<string, Awaited<ReturnType<Admin['fetchTopicOffsets']>>>();
  for (const topic of read) ends.set(topic, await admin.fetchTopicOffsets(clusterName(config, topic)));
  const lags: PartitionLag[] = [];
  for (const [group, all] of groups) {
    const topics = all.filter((topic) => read.has(topic));
    if (topics.length === 0) continue;
    const names = topics.map((topic) => clusterName(config, topic));
    const committed = await onceCoordinated(() => admin.fetchOffsets({ groupId: clusterName(config, group), topics: names }));
    for (const topic of topics) {
      const taken = committed.find((one) => one.topic === clusterName(config, topic))?.partitions ?? [];
      const at = new Map(taken.map(({ partition, offset }) => [partition, BigInt(offset)]));
      for (const { partition, low, high } of ends.get(topic) ?? []) {
        const offset = at.get(partition) ?? -1n;
        const begun = offset >= 0n;
        // What was forgotten by its topic can no longer be taken.
        const next = begun && offset > BigInt(low) ? offset : BigInt(low);
        lags.push({ group, topic, partition, next, begun, records: Math.max(0, Number(BigInt(high) - next)) });
      }
    }
  }
  return lags;
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
