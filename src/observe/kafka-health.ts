import type { Admin } from 'kafkajs';
import { Gauge } from 'prom-client';
import type { Config } from '../config';
import { clusterName } from '../kafka/client';
import { topicNames } from '../kafka/topics';
import { registry } from '../metrics';
import type { Look } from './observer';

const brokers = new Gauge({ name: 'fazenda_kafka_brokers', help: 'Brokers that the cluster says it has', registers: [registry] });
const underReplicated = new Gauge({
  name: 'fazenda_kafka_under_replicated_partitions',
  help: 'Partitions of our topics with fewer replicas in sync than they have',
  registers: [registry],
});
const leaderless = new Gauge({
  name: 'fazenda_kafka_leaderless_partitions',
  help: 'Partitions of our topics that nobody leads, so that nothing can be written to them',
  registers: [registry],
});

const EVERY_MS = 15_000;

/** How the cluster is, as far as its metadata tells: one request for all topics. */
export function kafkaLook(config: Config, admin: Admin): Look {
  const { topics, deadLetters } = topicNames();
  const ours = new Set([...topics, ...deadLetters].map((name) => clusterName(config, name)));

  async function look(): Promise<void> {
    await admin.connect();
    const cluster = await admin.describeCluster();
    const metadata = await admin.fetchTopicMetadata();
    const partitions = metadata.topics.filter(({ name }) => ours.has(name)).flatMap((topic) => topic.partitions);
    brokers.set(cluster.brokers.length);
    underReplicated.set(partitions.filter(({ isr, replicas }) => isr.length < replicas.length).length);
    leaderless.set(partitions.filter(({ leader }) => leader < 0).length);
  }

  return { name: 'kafka', everyMs: EVERY_MS, look, forget: () => [brokers, underReplicated, leaderless].forEach((gauge) => gauge.reset()) };
}
