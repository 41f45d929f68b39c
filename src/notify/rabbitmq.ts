import { connect, type ChannelModel, type ConfirmChannel, type ConsumeMessage, type Options } from 'amqplib';
import { FazendaError, textOf } from '../errors';
import type { Logger } from '../log';
import { timed } from '../outside';
import type { Secret } from '../secret';
import { deadBody, DEAD_QUEUE, deathOf, DELAYS_MS, delayQueue, QUEUE, slipOf, slipText, type SlipHandler, type SlipQueue, type Verdict } from './queue';

const CONNECT_TIMEOUT_MS = 5_000;
/** A broker that hangs is noticed after two of these, s. */
const HEARTBEAT_S = 10;
/** A broker that has not confirmed by then is away, ms. */
const CONFIRM_TIMEOUT_MS = 10_000;
const BACK_OFF_FIRST_MS = 100;
const BACK_OFF_MOST_MS = 5_000;
/** Slips in one notifier's hands at a time; each is a connection to the mail server. */
const PREFETCH = 10;

interface Link {
  readonly model: ChannelModel;
  readonly channel: ConfirmChannel;
  /** Ids of messages that no queue took, which a confirm alone would not tell. */
  readonly returned: Set<string>;
  readonly lost: Promise<unknown>;
  consumerTag?: string;
}

/**
 * RabbitMQ as the queue of notifications: durable queues, persistent messages, publisher confirms, and a connection
 * that comes back by itself. A delayed slip waits in a queue whose messages expire into the first one. Dead slips are
 * published, with confirm, before theirs is acknowledged: the broker's own dead-lettering has no confirm and no reason.
 */
export function openRabbitQueue(url: Secret, log: Logger): SlipQueue {
  let link: Link | undefined;
  let handler: SlipHandler | undefined;
  let living: { readonly tried: Promise<void>; readonly ended: Promise<void> } | undefined;
  const inHand = new Set<Promise<void>>();
  const over = new AbortController();

  /** Connects, and connects again, until the stop. Resolves after the first try, whichever way it went. */
  function live(): Promise<void> {
    if (!living) {
      const { promise, resolve } = withResolver();
      living = { tried: promise, ended: keepLinked(resolve) };
    }
    return living.tried;
  }

  async function keepLinked(tried: () => void): Promise<void> {
    let waitMs = BACK_OFF_FIRST_MS;
    while (!over.signal.aborted) {
      try {
        const fresh = await openLink(url, log);
        link = fresh;
        if (handler) await consume(fresh, handler);
        waitMs = BACK_OFF_FIRST_MS;
        tried();
        const why = await fresh.lost;
        if (!over.signal.aborted) log.warn({ cause: textOf(why) }, 'RabbitMQ is gone');
      } catch (thrown) {
        log.warn({ cause: textOf(thrown), waitMs }, 'RabbitMQ is not there; trying again');
        tried();
      }
      await dropLink();
      await pause(waitMs, over.signal);
      waitMs = Math.min(waitMs * 2, BACK_OFF_MOST_MS);
    }
  }

  async function dropLink(): Promise<void> {
    const old = link;
    link = undefined;
    await old?.model.close().catch((thrown: unknown) => log.debug({ err: thrown }, 'the old connection was closed already'));
  }

  async function consume(on: Link, handle: SlipHandler): Promise<void> {
    await on.channel.prefetch(PREFETCH);
    const { consumerTag } = await on.channel.consume(QUEUE, (message) => {
      if (message === null) {
        // The broker itself ended the consumer, as it does when the queue is deleted.
        void dropLink();
        return;
      }
      const work = deliver(on, message, handle).finally(() => inHand.delete(work));
      inHand.add(work);
    });
    on.consumerTag = consumerTag;
  }

  async function deliver({ channel }: Link, message: ConsumeMessage, handle: SlipHandler): Promise<void> {
    try {
      const slip = slipOf(message.content);
      const verdict: Verdict = slip ? await handle(slip) : { kind: 'dead', reason: 'unreadable', detail: 'the message is no slip' };
      await pass(message, verdict);
      channel.ack(message);
    } catch (thrown) {
      // Not known, or not safe with the broker: the slip must come again. On a channel that is gone it does so by itself.
      log.warn({ cause: textOf(thrown), messageId: message.properties.messageId as unknown }, 'a slip comes again');
      await pause(BACK_OFF_FIRST_MS, over.signal);
      if (link?.channel === channel) giveBack(channel, message);
    }
  }

  function giveBack(channel: ConfirmChannel, message: ConsumeMessage): void {
    try {
      channel.nack(message, false, true);
    } catch (thrown) {
      log.debug({ err: thrown }, 'the channel went meanwhile, and the slip with it to the next');
    }
  }

  async function pass({ content, properties }: ConsumeMessage, verdict: Verdict): Promise<void> {
    if (verdict.kind === 'done') return;
    const messageId = typeof properties.messageId === 'string' ? properties.messageId : undefined;
    const options = { ...COMMON, ...(messageId !== undefined && { messageId }) };
    if (verdict.kind === 'again') return await publish([{ queue: delayQueue(verdict.afterMs), content, options }]);
    const death = deathOf(verdict, new Date());
    await publish([{ queue: DEAD_QUEUE, content: deadBody(content, death), options: { ...options, headers: death } }]);
  }

  async function publish(messages: readonly { queue: string; content: Buffer; options: Options.Publish }[]): Promise<void> {
    const on = link;
    if (!on) throw new FazendaError('FZ_QUEUE_AWAY', 'RabbitMQ is not there');
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error(`no confirm within ${CONFIRM_TIMEOUT_MS} ms`)), CONFIRM_TIMEOUT_MS);
    });
    try {
      const confirmed = messages.map(({ queue, content, options }) =>
        new Promise<void>((resolve, reject) => {
          on.channel.sendToQueue(queue, content, { ...options, mandatory: true }, (fault: unknown) => (fault ? reject(fault) : resolve()));
        }));
      await timed('amqp', 'publish', () => Promise.race([Promise.all(confirmed), late]));
      const homeless = messages.filter(({ options }) => options.messageId !== undefined && on.returned.delete(options.messageId));
      if (homeless.length > 0) throw new Error(`there is no queue ${homeless[0]?.queue}`);
    } catch (thrown) {
      // A queue that was deleted is declared again with the next connection; one that hangs is left for a new one.
      if (link === on) void dropLink();
      throw new FazendaError('FZ_QUEUE_AWAY', `RabbitMQ did not take it: ${textOf(thrown)}`, {}, thrown);
    } finally {
      clearTimeout(timer);
    }
  }

  return {
    async put(slips) {
      if (slips.length === 0) return;
      await live();
      await publish(slips.map((slip) => ({ queue: QUEUE, content: Buffer.from(slipText(slip)), options: { ...COMMON, messageId: slip.ceId, type: slip.event } })));
    },
    async take(handle) {
      handler = handle;
      await live();
    },
    async stop() {
      handler = undefined;
      const last = link;
      if (last?.consumerTag !== undefined) {
        // Where the broker is gone, so is the consumer.
        await last.channel.cancel(last.consumerTag).catch((thrown: unknown) => log.debug({ err: thrown }, 'the consumer was gone already'));
      }
      await Promise.all(inHand);
      over.abort();
      // amqplib lets the end of a connection overtake what its channels have yet to write, acknowledgements among them.
      await last?.channel.close().catch((thrown: unknown) => log.debug({ err: thrown }, 'the channel was closed already'));
      await dropLink();
      await living?.ended;
    },
  };
}

const COMMON = { persistent: true, contentType: 'application/json', appId: 'fazenda' } satisfies Options.Publish;

/** A connection with its queues in place. A queue that others declared otherwise is a fault that the log names. */
async function openLink(url: Secret, log: Logger): Promise<Link> {
  const model = await connect(withHeartbeat(url.reveal()), { timeout: CONNECT_TIMEOUT_MS });
  const lost = new Promise<unknown>((resolve) => {
    model.once('close', resolve);
    model.on('error', (fault) => log.debug({ err: fault }, 'RabbitMQ connection'));
  });
  try {
    const channel = await model.createConfirmChannel();
    const returned = new Set<string>();
    channel.on('return', ({ properties }) => returned.add(String(properties.messageId)));
    // A channel that the broker closed is no use any more, and neither is its connection: the next has both.
    channel.on('error', (fault) => log.warn({ cause: textOf(fault) }, 'RabbitMQ closed the channel'));
    channel.once('close', () => void model.close().catch((thrown: unknown) => log.debug({ err: thrown }, 'the connection was closed already')));
    await declare(channel);
    return { model, channel, returned, lost };
  } catch (thrown) {
    await model.close().catch((late: unknown) => log.debug({ err: late }, 'the connection was closed already'));
    throw thrown;
  }
}

/** The two named queues are plain durable ones, so that whoever else declares them as such declares the same. */
async function declare(channel: ConfirmChannel): Promise<void> {
  await channel.assertQueue(QUEUE, { durable: true });
  await channel.assertQueue(DEAD_QUEUE, { durable: true });
  for (const delayMs of DELAYS_MS) {
    await channel.assertQueue(delayQueue(delayMs), { durable: true, messageTtl: delayMs, deadLetterExchange: '', deadLetterRoutingKey: QUEUE });
  }
}

function withHeartbeat(url: string): string {
  const given = new URL(url);
  if (!given.searchParams.has('heartbeat')) given.searchParams.set('heartbeat', String(HEARTBEAT_S));
  return given.href;
}

function withResolver(): { promise: Promise<void>; resolve: () => void } {
  let resolve = (): void => undefined;
  const promise = new Promise<void>((settle) => (resolve = settle));
  return { promise, resolve };
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    const end = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', end);
      resolve();
    };
    const timer = setTimeout(end, ms);
    signal.addEventListener('abort', end);
  });
}
