import { createAdapter } from '@socket.io/redis-adapter';
import { Redis, type RedisOptions } from 'ioredis';
import type { ServerOptions } from 'socket.io';
import type { FanOut, Hint, Listener } from './fanout';

/** Words on their way to Redis at most; beyond that they are dropped, and doubt is told later instead. */
const UNANSWERED_MAX = 10_000;
const COMMAND_TIMEOUT_MS = 5_000;

export interface RedisFanOutOptions {
  readonly url: string;
  /** Put before every channel, so that installations can share a Redis. */
  readonly prefix: string;
  readonly onTrouble: (trouble: unknown) => void;
}

/**
 * Gateways that tell each other by Redis pub/sub, one channel a story, so that each hears only of what
 * its own clients follow. Pub/sub keeps nothing for who is away: a gateway whose connection was broken
 * looks at all its stories again, and one that could not tell makes all others do so.
 */
export class RedisFanOut implements FanOut {
  private readonly teller: Redis;
  private readonly hearer: Redis;
  private readonly joined = new Set<string>();
  private listener: Listener | undefined;
  private unanswered = 0;
  private lost = false;

  constructor(private readonly options: RedisFanOutOptions) {
    // No queue while Redis is away: memory stays bounded, and doubt makes up for what is dropped.
    const impatient: RedisOptions = { enableOfflineQueue: false, maxRetriesPerRequest: 0, commandTimeout: COMMAND_TIMEOUT_MS };
    this.teller = connect(options, { ...impatient, enableAutoPipelining: true });
    this.hearer = connect(options, { ...impatient, autoResubscribe: false });
    this.teller.on('ready', () => this.confess());
    this.hearer.on('ready', () => void this.rejoin());
    this.hearer.on('message', (channel: string, text: string) => this.hear(channel, text));
  }

  listen(listener: Listener): void {
    this.listener = listener;
  }

  tell(hints: readonly Hint[]): void {
    for (const hint of hints) {
      this.listener?.hint(hint); // Our own clients need no network.
      if (this.unanswered >= UNANSWERED_MAX) this.lost = true;
      else this.publish(this.channelOf(hint.domain, hint.id), String(hint.version));
    }
  }

  join(domain: string, id: string): Promise<void> | undefined {
    const channel = this.channelOf(domain, id);
    this.joined.add(channel);
    // While Redis is away nothing can be joined: `rejoin` does so later, and tells doubt after it.
    if (this.hearer.status !== 'ready') return undefined;
    return this.hearer.subscribe(channel).then(() => undefined);
  }

  leave(domain: string, id: string): void {
    const channel = this.channelOf(domain, id);
    this.joined.delete(channel);
    if (this.hearer.status === 'ready') this.hearer.unsubscribe(channel).catch(this.options.onTrouble);
  }

  async close(): Promise<void> {
    this.listener = undefined;
    this.teller.disconnect();
    this.hearer.disconnect();
  }

  private publish(channel: string, text: string): void {
    this.unanswered += 1;
    this.teller.publish(channel, text).then(
      () => this.confess(),
      () => (this.lost = true), // The client reports its own trouble; what counts here is that a word was lost.
    ).finally(() => (this.unanswered -= 1));
  }

  /** Something was lost while Redis was away, and it is back: everybody had better look. */
  private confess(): void {
    if (!this.lost) return;
    this.lost = false;
    this.publish(this.doubtChannel, '');
  }

  private async rejoin(): Promise<void> {
    try {
      await this.hearer.subscribe(this.doubtChannel, ...this.joined);
      this.listener?.doubt();
    } catch (thrown) {
      this.options.onTrouble(thrown); // The connection broke again: the next `ready` does it all anew.
    }
  }

  private hear(channel: string, text: string): void {
    if (channel === this.doubtChannel) return this.listener?.doubt();
    const name = channel.slice(this.root.length);
    const slash = name.indexOf('/');
    this.listener?.hint({ domain: name.slice(0, slash), id: name.slice(slash + 1), version: Number(text) });
  }

  private channelOf(domain: string, id: string): string {
    return `${this.root}${domain}/${id}`;
  }

  private get root(): string {
    return `${this.options.prefix}fazenda:live:`;
  }

  private get doubtChannel(): string {
    return `${this.options.prefix}fazenda:doubt`;
  }
}

/** What one gateway asks the others has an answer by then, ms, or goes without theirs. */
const OTHERS_WITHIN_MS = 1_000;

/** Socket.IO rooms that span all gateways: who asks for a room's sockets finds those of the others as well. */
export function redisAdapter(options: RedisFanOutOptions): { adapter: ServerOptions['adapter']; close(): void } {
  const clients = [connect(options, { maxRetriesPerRequest: null }), connect(options, { maxRetriesPerRequest: null })] as const;
  const made = createAdapter(...clients, { key: `${options.prefix}fazenda:socket.io`, requestsTimeout: OTHERS_WITHIN_MS });
  return { adapter: made as ServerOptions['adapter'], close: () => clients.forEach((client) => client.disconnect()) };
}

function connect({ url, onTrouble }: RedisFanOutOptions, options: RedisOptions): Redis {
  const client = new Redis(url, { ...options, retryStrategy: (tries) => Math.min(tries * 100, 2_000) });
  client.on('error', onTrouble);
  return client;
}
