import { Kafka, logLevel, type KafkaConfig, type LogEntry } from 'kafkajs';
import type { Config } from '../config';
import type { Logger } from '../log';

/** kafkajs 2.2.4 computes a negative timer under Node 20 and later; the warning is noise, the timer is right. */
process.env.KAFKAJS_NO_PARTITIONER_WARNING = '1';

/** The retry policy that S3's services use: 10 retries, 300 ms first, doubled, 30 s at most. */
const PATIENT = { retries: 10, initialRetryTime: 300, multiplier: 2, maxRetryTime: 30_000 };

/** For requests that somebody waits for: give up within about two seconds, and tell him. */
export const PROMPT = { retries: 2, initialRetryTime: 150, multiplier: 2, maxRetryTime: 600 };

export function openKafka(config: Config, log: Logger, retry: NonNullable<KafkaConfig['retry']> = PATIENT): Kafka {
  return new Kafka({
    clientId: config.KAFKA_CLIENT_ID,
    brokers: [...config.KAFKA_BROKERS],
    connectionTimeout: 2_000,
    requestTimeout: 10_000,
    retry,
    logLevel: logLevel.WARN,
    logCreator: () => (entry) => passOn(log, entry),
  });
}

/** kafkajs calls many a passing thing an error; what matters comes to us as a rejection. So: debug. */
function passOn(log: Logger, { namespace, log: { message, error } }: LogEntry): void {
  log.debug({ kafkajs: namespace, error: error as unknown }, message);
}

/** Topics and groups as the cluster knows them; the prefix lets installations share one. */
export function clusterName(config: Pick<Config, 'KAFKA_TOPIC_PREFIX'>, name: string): string {
  return `${config.KAFKA_TOPIC_PREFIX}${name}`;
}

/** A topic of the cluster as contracts name it. */
export function contractName(config: Pick<Config, 'KAFKA_TOPIC_PREFIX'>, name: string): string {
  const prefix = config.KAFKA_TOPIC_PREFIX;
  return name.startsWith(prefix) ? name.slice(prefix.length) : name;
}
