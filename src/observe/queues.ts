import { connect, type ChannelModel } from 'amqplib';
import { Gauge } from 'prom-client';
import { textOf } from '../errors';
import type { Logger } from '../log';
import { registry } from '../metrics';
import { DEAD_QUEUE, DELAYS_MS, delayQueue, QUEUE } from '../notify/queue';
import type { Secret } from '../secret';
import type { Look } from './observer';

const messages = new Gauge({
  name: 'fazenda_queue_messages',
  help: 'Messages that are ready in a queue of RabbitMQ',
  labelNames: ['queue'] as const,
  registers: [registry],
});
const consumers = new Gauge({
  name: 'fazenda_queue_consumers',
  help: 'Consumers of a queue of RabbitMQ',
  labelNames: ['queue'] as const,
  registers: [registry],
});

const EVERY_MS = 10_000;
const CONNECT_TIMEOUT_MS = 2_000;
const QUEUES = [QUEUE, DEAD_QUEUE, ...DELAYS_MS.map(delayQueue)];

/** Depths of the queues of notifications, by a passive declare: it makes nothing, and asks for no right but to read. */
export function queuesLook(url: Secret, log: Logger): Look {
  let model: ChannelModel | undefined;

  async function look(): Promise<void> {
    const on = (model ??= await open());
    const seen: { queue: string; messageCount: number; consumerCount: number }[] = [];
    for (const queue of QUEUES) {
      // The broker answers for a queue that is not there by closing the channel, so each has its own.
      const channel = await on.createChannel();
      channel.on('error', (fault) => log.debug({ cause: textOf(fault), queue }, 'RabbitMQ closed the channel'));
      const answer = await channel.checkQueue(queue).catch((thrown: unknown) => {
        if (model !== on) throw thrown;
        log.debug({ cause: textOf(thrown), queue }, 'a queue is not there yet');
        return undefined;
      });
      if (!answer) continue;
      seen.push(answer);
      await channel.close();
    }
    forget();
    for (const { queue, messageCount, consumerCount } of seen) {
      messages.set({ queue }, messageCount);
      consumers.set({ queue }, consumerCount);
    }
  }

  async function open(): Promise<ChannelModel> {
    const opened = await connect(url.reveal(), { timeout: CONNECT_TIMEOUT_MS });
    opened.on('error', (fault) => log.debug({ cause: textOf(fault) }, 'RabbitMQ connection of the observer'));
    opened.once('close', () => (model = undefined));
    return opened;
  }

  function forget(): void {
    messages.reset();
    consumers.reset();
  }

  return {
    name: 'queues', everyMs: EVERY_MS, look, forget,
    close: async () => await model?.close().catch((thrown: unknown) => log.debug({ cause: textOf(thrown) }, 'RabbitMQ was gone already')),
  };
}
