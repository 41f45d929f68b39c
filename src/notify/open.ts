import type { Config } from '../config';
import type { Logger } from '../log';
import { openKafkaQueue } from './kafka-queue';
import type { SlipQueue } from './queue';
import { openRabbitQueue } from './rabbitmq';

/** RabbitMQ where there is one, else Kafka. Neither has to be there yet. */
export function openSlipQueue(config: Config, log: Logger, fail: (reason: unknown) => void): SlipQueue {
  return config.AMQP_URL ? openRabbitQueue(config.AMQP_URL, log) : openKafkaQueue(config, log, fail);
}
