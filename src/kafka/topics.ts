import { ConfigResourceTypes, type ITopicConfig } from 'kafkajs';
import { domains } from '../../workflows/domains';
import type { Config } from '../config';
import { entities } from '../entities';
import type { Logger } from '../log';
import { windowStreams } from '../windows/streams';
import { clusterName, deadLetterTopic, openKafka } from './client';

/** Every topic has 12 partitions, a dead-letter topic 1. */
export const PARTITIONS = 12;
/** 90 days, ms: how long the log is the event store. */
export const RETENTION_MS = 90 * 24 * 3_600_000;
/** A record over 1 MiB is a dead letter, but it is let in, so that there is one. */
const MESSAGE_BYTES_MAX = 4 * 1_048_576;
/** The largest record that a door lets in, and what its death adds to it. */
const DEAD_LETTER_BYTES_MAX = MESSAGE_BYTES_MAX + 1_048_576;

/**
 * A partner may compress as it likes: the broker keeps what comes in by a door as gzip, the one codec that
 * kafkajs reads. A batch of lz4, snappy or zstd would stop the door for good.
 */
const READABLE_COMPRESSION = 'gzip';

/** Where `POST /kafka/publish` writes to by default. */
export const TEST_TOPIC = 'test-events';

/** Every topic by its name in the contracts: facts out, doors in, and a dead-letter topic for each that is read. */
export function topicNames(): { topics: string[]; doors: string[]; deadLetters: string[] } {
  const doors = domains.flatMap((domain) => domain.doors.map((door) => door.topic));
  const facts = [...domains, ...entities].flatMap((one) => Object.values(one.topics));
  // Whoever tells people of facts reads their topics, and puts aside what claims to be ours and is not.
  const noticed = domains.flatMap(({ notices = {}, topics }) => Object.keys(notices).flatMap((type) => topics[type] ?? []));
  return { topics: [...new Set([...facts, ...doors, TEST_TOPIC, ...compactedTopics()])], doors, deadLetters: [...new Set([...doors, ...noticed].map(deadLetterTopic))] };
}

/** Those that keep the last record of each key, for ever: what is told of something that goes on changing. */
function compactedTopics(): string[] {
  return windowStreams().map(({ topic }) => topic);
}

/** What is superseded may stay this long before it has to go, ms. */
const COMPACTION_LAG_MAX_MS = 3_600_000;

/** What was redriven, by whom and why: beside the dead-letter topics, so that the index of both can be made again. */
export const REDRIVES_TOPIC = 'dead-letters.redriven';

/** Replication as the profile says: `dev` one broker, `prod` three with two in sync. */
function entryOf(config: Config, name: string, numPartitions: number, messageBytesMax: number, compression = 'producer'): ITopicConfig {
  const prod = config.KAFKA_PROFILE === 'prod';
  return {
    topic: clusterName(config, name),
    numPartitions,
    replicationFactor: prod ? 3 : 1,
    configEntries: [
      { name: 'retention.ms', value: String(RETENTION_MS) },
      { name: 'min.insync.replicas', value: prod ? '2' : '1' },
      { name: 'max.message.bytes', value: String(messageBytesMax) },
      { name: 'compression.type', value: compression },
      ...(compactedTopics().includes(name) ? [{ name: 'cleanup.policy', value: 'compact' }, { name: 'max.compaction.lag.ms', value: String(COMPACTION_LAG_MAX_MS) }] : []),
    ],
  };
}

/** Creates what is missing; a topic that is there stays as its owner made it. */
export async function createTopics(config: Config, log: Logger): Promise<string[]> {
  const { topics, doors, deadLetters } = topicNames();
  return await createMissing(config, log, [
    ...topics.map((name) => entryOf(config, name, PARTITIONS, MESSAGE_BYTES_MAX, doors.includes(name) ? READABLE_COMPRESSION : 'producer')),
    ...deadLetters.map((name) => entryOf(config, name, 1, DEAD_LETTER_BYTES_MAX)),
    entryOf(config, REDRIVES_TOPIC, 1, MESSAGE_BYTES_MAX),
  ]);
}

/** The same for topics that are nobody's contract, name to partitions. */
export async function createOwnTopics(config: Config, log: Logger, partitionsByName: Readonly<Record<string, number>>): Promise<void> {
  const wanted = Object.entries(partitionsByName).map(([name, partitions]) => entryOf(config, name, partitions, MESSAGE_BYTES_MAX));
  await createMissing(config, log, wanted);
}

async function createMissing(config: Config, log: Logger, wanted: readonly ITopicConfig[]): Promise<string[]> {
  const admin = openKafka(config, log).admin();
  await admin.connect();
  try {
    const there = new Set(await admin.listTopics());
    const missing = wanted.filter(({ topic }) => !there.has(topic));
    if (missing.length > 0) await admin.createTopics({ topics: missing, waitForLeaders: true });
    return missing.map(({ topic }) => topic);
  } finally {
    await admin.disconnect();
  }
}

export interface TopicFacts {
  readonly topic: string;
  readonly partitions: number;
  readonly retentionMs: number;
  /** Records ever written, over all partitions. */
  readonly highWatermark: bigint;
}

/**
 * What the cluster says of our topics; one that is missing is not in the answer. One topic after the other: kafkajs asks
 * for the metadata of each under one lock, and on a busy machine the last of two dozen gave up waiting for it.
 */
export async function describeTopics(config: Config, log: Logger): Promise<TopicFacts[]> {
  const admin = openKafka(config, log).admin();
  await admin.connect();
  try {
    const { topics, deadLetters } = topicNames();
    const there = new Set(await admin.listTopics());
    const described: TopicFacts[] = [];
    for (const name of [...topics, ...deadLetters].filter((one) => there.has(clusterName(config, one)))) {
      const topic = clusterName(config, name);
      const offsets = await admin.fetchTopicOffsets(topic);
      const { resources } = await admin.describeConfigs({
        includeSynonyms: false,
        resources: [{ type: ConfigResourceTypes.TOPIC, name: topic, configNames: ['retention.ms'] }],
      });
      const retention = resources[0]?.configEntries.find((entry) => entry.configName === 'retention.ms');
      described.push({
        topic: name,
        partitions: offsets.length,
        retentionMs: Number(retention?.configValue ?? Number.NaN),
        highWatermark: offsets.reduce((sum, { high }) => sum + BigInt(high), 0n),
      });
    }
    return described;
  } finally {
    await admin.disconnect();
  }
}
