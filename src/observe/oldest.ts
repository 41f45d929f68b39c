import type { Admin } from 'kafkajs';
import { clusterName, type Naming } from '../kafka/client';
import type { PartitionLag } from './offsets';

/** An age is known to within a twentieth of it, or to this, ms. */
const PRECISION_MS = 200;
const PRECISION_SHARE = 0.05;
/** Records are kept for 90 days; nothing that can still be taken is older, ms. */
const AGE_MAX_MS = 90 * 24 * 3_600_000;
const FIRST_GUESS_MS = 1_000;

/**
 * When the oldest record was written that these partitions of one topic have still to give to their group, by its own
 * timestamp, ms since 1970. The record itself is not read: the broker is asked, at about ten instants, which record is
 * the first of that time or later, and where that one lies behind the next to be taken, the next is older.
 * @param at when it is asked, ms; what is younger counts as written then
 */
export async function oldestUntaken(admin: Admin, config: Naming, topic: string, behind: readonly PartitionLag[], at: number): Promise<number> {
  const name = clusterName(config, topic);
  const next = new Map(behind.map((lag) => [lag.partition, lag.next]));
  const older = async (ageMs: number): Promise<boolean> => {
    const firsts = await admin.fetchTopicOffsetsByTimestamp(name, Math.round(at - ageMs));
    return firsts.some(({ partition, offset }) => {
      const mine = next.get(partition);
      return mine !== undefined && BigInt(offset) > mine;
    });
  };
  return at - (await ageOf(older));
}

/** The age at which `older` turns from true to false, ms: doubled until it is passed, then halved. */
export async function ageOf(older: (ageMs: number) => Promise<boolean>): Promise<number> {
  let [low, high] = [0, FIRST_GUESS_MS];
  while (high < AGE_MAX_MS && (await older(high))) [low, high] = [high, high * 4];
  while (high - low > Math.max(PRECISION_MS, high * PRECISION_SHARE)) {
    const middle = (low + high) / 2;
    if (await older(middle)) low = middle;
    else high = middle;
  }
  return Math.min((low + high) / 2, AGE_MAX_MS);
}
