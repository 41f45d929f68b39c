import type { Kafka } from 'kafkajs';
import type { Config } from '../config';
import type { Logger } from '../log';
import { clusterName } from './client';
import type { ConsumerOptions, Lag } from './port';

/** How often the group's lag is asked for, ms. */
const LOOK_EVERY_MS = 5_000;

export interface Watchdog {
  start(): void;
  stop(): Promise<void>;
  /** The partitions that this member has, by cluster name of the topic; only their lag can be its stall. */
  assigned(partitions: Readonly<Record<string, readonly number[]>>): void;
  /** A chunk is in hand; the returned function says that it no longer is. */
  working(): () => void;
  /** A chunk was committed. */
  progressed(): void;
}

interface Powers {
  rebuild(why: string): Promise<void>;
  fail(reason: unknown): void;
  lag(lag: Lag): void;
}

/**
 * Asks the broker, not the client, how far the group is behind. Lag without a chunk in hand and without
 * progress means that the client has stalled: it is rebuilt, and if that does not help the process ends,
 * for its supervisor to start another. A chunk in hand is no stall, however long it waits.
 */
export function watchProgress(config: Config, log: Logger, kafka: Kafka, options: ConsumerOptions, powers: Powers): Watchdog {
  const admin = kafka.admin();
  const group = clusterName(config, options.group);
  let ours: Readonly<Record<string, readonly number[]>> = {};
  let inHand = 0;
  let stillSince: number | undefined;
  let rebuilt = false;
  let timer: NodeJS.Timeout | undefined;
  let stopped = false;

  async function look(): Promise<void> {
    let stuck = 0;
    for (const topic of options.topics) {
      const lags = await lagOf(topic);
      for (const lag of lags) powers.lag(lag);
      const mine = ours[clusterName(config, topic)] ?? [];
      stuck += lags.reduce((sum, lag) => sum + (mine.includes(lag.partition) ? lag.records : 0), 0);
    }
    judge(stuck);
  }

  async function lagOf(topic: string): Promise<Lag[]> {
    const name = clusterName(config, topic);
    const [ends, committed] = await Promise.all([
      admin.fetchTopicOffsets(name),
      admin.fetchOffsets({ groupId: group, topics: [name] }),
    ]);
    const taken = new Map(committed[0]?.partitions.map(({ partition, offset }) => [partition, BigInt(offset)]));
    return ends.map(({ partition, high, low }) => {
      // −1 means nothing committed: everything that is still there is ahead.
      const at = taken.get(partition) ?? -1n;
      const from = at >= 0n ? at : options.fromBeginning ? BigInt(low) : BigInt(high);
      return { topic, partition, records: Math.max(0, Number(BigInt(high) - from)) };
    });
  }

  function judge(total: number): void {
    const now = Date.now();
    if (total === 0 || inHand > 0) {
      stillSince = undefined;
      rebuilt = false;
      return;
    }
    stillSince ??= now;
    const still = now - stillSince;
    if (still > 2 * config.STALL_AFTER_MS) powers.fail(new Error(`${options.group} has not moved for ${still} ms with ${total} records to take`));
    else if (still > config.STALL_AFTER_MS && !rebuilt) {
      rebuilt = true;
      void powers.rebuild(`no progress for ${still} ms with ${total} records to take`);
    }
  }

  function again(): void {
    if (stopped) return;
    timer = setTimeout(() => {
      // Kafka away is no stall: the client waits for it, and so does the watchdog.
      look().catch((thrown: unknown) => log.debug({ err: thrown }, 'lag is not known')).finally(again);
    }, LOOK_EVERY_MS);
  }

  return {
    start() {
      void admin.connect().catch((thrown: unknown) => log.debug({ err: thrown }, 'no admin connection yet'));
      again();
    },
    async stop() {
      stopped = true;
      clearTimeout(timer);
      await admin.disconnect();
    },
    assigned(partitions) {
      ours = partitions;
      stillSince = undefined;
    },
    working() {
      inHand += 1;
      return () => {
        inHand -= 1;
        stillSince = undefined;
      };
    },
    progressed() {
      stillSince = undefined;
      rebuilt = false;
    },
  };
}
