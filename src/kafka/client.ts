import { Kafka, logLevel, type KafkaConfig, type LogEntry } from 'kafkajs';
import type { Config } from '../config';
import type { Logger } from '../log';
import './idle-connections';
import './produce-request';
import { securityOf } from './security';

/** We keep to kafkajs' default partitioner, which is the Java client's; its warning that it was another one once is noise. */
process.env.KAFKAJS_NO_PARTITIONER_WARNING = '1';

/** The retry policy that S3's services use: 10 retries, 300 ms first, doubled, 30 s at most. */
const PATIENT = { retries: 10, initialRetryTime: 300, multiplier: 2, maxRetryTime: 30_000 };

/** For requests that somebody waits for: give up within about two seconds, and tell him. */
export const PROMPT = { retries: 2, initialRetryTime: 150, multiplier: 2, maxRetryTime: 600 };

export function openKafka(config: Config, log: Logger, retry: NonNullable<KafkaConfig['retry']> = PATIENT): Kafka {
  return new Kafka({
    clientId: config.KAFKA_CLIENT_ID,
    brokers: [...config.KAFKA_BROKERS],
    ...securityOf(config),
    connectionTimeout: 2_000,
    requestTimeout: 10_000,
    retry,
    logLevel: logLevel.WARN,
    logCreator: () => (entry) => passOn(log, entry),
  });
}

/** kafkajs calls many a passing thing an error; what matters comes to us as a rejection. So: debug. */
function passOn(log: Logger, { namespace, log: { message, error, timestamp: _ours, logger: _kafkajs, ...rest } }: LogEntry): void {
  log.debug({ kafkajs: namespace, ...rest, error: error as unknown }, message);
}

export type Naming = Pick<Config, 'KAFKA_TOPIC_PREFIX' | 'kafkaNames'>;

const DEAD_LETTERS = '.dlq';

/** The dead-letter topic of a topic; one that goes by another name takes its dead letters along. */
export function deadLetterTopic(topic: string): string {
  return `${topic}${DEAD_LETTERS}`;
}

/** The topic whose dead letters lie in this one. */
export function originalTopic(deadLetters: string): string {
  return deadLetters.endsWith(DEAD_LETTERS) ? deadLetters.slice(0, -DEAD_LETTERS.length) : deadLetters;
}

/**
 * Topics and groups as the cluster knows them: by the name that was chosen for them, exactly, else by the name
 * in the contracts behind the prefix, which lets installations share a cluster.
 */
export function clusterName({ KAFKA_TOPIC_PREFIX, kafkaNames }: Naming, name: string): string {
  const chosen = kafkaNames[name];
  if (chosen !== undefined) return chosen;
  const letters = name.endsWith(DEAD_LETTERS) ? kafkaNames[name.slice(0, -DEAD_LETTERS.length)] : undefined;
  return letters === undefined ? `${KAFKA_TOPIC_PREFIX}${name}` : deadLetterTopic(letters);
}

/** A topic of the cluster as contracts name it. */
export function contractName(config: Naming, name: string): string {
  const { KAFKA_TOPIC_PREFIX: prefix, kafkaNames } = config;
  const renamed = Object.keys(kafkaNames).flatMap((known) => [known, deadLetterTopic(known)]);
  const chosen = renamed.find((known) => clusterName(config, known) === name);
  if (chosen !== undefined) return chosen;
  return name.startsWith(prefix) ? name.slice(prefix.length) : name;
}
