import type { Admin } from 'kafkajs';
import { Gauge } from 'prom-client';
import type { Config } from '../config';
import { registry } from '../metrics';
import type { Look } from './observer';
import { lagsOf, type PartitionLag } from './offsets';
import { oldestUntaken } from './oldest';

const consumerLag = new Gauge({
  name: 'fazenda_consumer_lag',
  help: 'Records that a group is behind, as the broker says',
  labelNames: ['group', 'topic', 'partition'] as const,
  registers: [registry],
});

const consumerLagSeconds = new Gauge({
  name: 'fazenda_consumer_lag_seconds',
  help: 'Age of the oldest record that a group has not taken yet, by its timestamp; 0 while it is not behind',
  labelNames: ['group', 'topic'] as const,
  registers: [registry],
});

const EVERY_MS = 5_000;
/** A group that is named by something that comes and goes is one group to whoever looks. */
const EPOCH = /-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** What was found out of the oldest record of a group on a topic, and of which partitions and offsets. */
interface Oldest {
  readonly places: readonly string[];
  readonly writtenAt: number;
}

/**
 * The lag of our groups, also of those by whose name nobody reads just now. In seconds it is the age of the oldest
 * record that is still to be taken. Of a group that stands still that is asked once: it is the same record, and only
 * gets older.
 */
export function lagLook(config: Config, admin: Admin, groups: () => Promise<ReadonlyMap<string, readonly string[]>>): Look {
  const known = new Map<string, Oldest>();

  async function look(): Promise<void> {
    await admin.connect();
    const lags = await lagsOf(admin, config, await groups());
    const pairs = new Map<string, PartitionLag[]>();
    for (const lag of lags) {
      const pair = `${lag.group} ${lag.topic}`;
      const those = pairs.get(pair);
      if (those) those.push(lag);
      else pairs.set(pair, [lag]);
    }
    const ages: { group: string; topic: string; seconds: number }[] = [];
    for (const [pair, [first, ...rest]] of pairs) if (first) ages.push({ group: labelOf(first), topic: first.topic, seconds: await secondsBehind(pair, [first, ...rest]) });
    forget();
    for (const lag of lags) consumerLag.set({ group: labelOf(lag), topic: lag.topic, partition: String(lag.partition) }, lag.records);
    for (const { group, topic, seconds } of ages) consumerLagSeconds.set({ group, topic }, seconds);
  }

  async function secondsBehind(pair: string, all: readonly PartitionLag[]): Promise<number> {
    const behind = all.filter(({ records }) => records > 0);
    const [first] = behind;
    if (!first) {
      known.delete(pair);
      return 0;
    }
    const now = Date.now();
    const places = behind.map(({ partition, next }) => `${partition}/${next}`);
    const before = known.get(pair);
    // Where nothing was taken, what has come since is younger than what was the oldest.
    const still = before !== undefined && before.places.every((place) => places.includes(place));
    const oldest = { places, writtenAt: still ? before.writtenAt : await oldestUntaken(admin, config, first.topic, behind, now) };
    known.set(pair, oldest);
    return Math.max(0, (now - oldest.writtenAt) / 1_000);
  }

  function forget(): void {
    consumerLag.reset();
    consumerLagSeconds.reset();
  }

  return { name: 'lag', everyMs: EVERY_MS, look, forget };
}

function labelOf({ group }: PartitionLag): string {
  return group.replace(EPOCH, '');
}
