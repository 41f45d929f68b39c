import type { Config } from '../config';
import { openKafka, PROMPT } from '../kafka/client';
import type { Logger } from '../log';
import { ourGroups } from '../observe/groups';
import { lagsOf } from '../observe/offsets';

/** How far one of our groups is behind on one topic. */
export interface GroupLag {
  readonly group: string;
  readonly topic: string;
  /** Records not taken yet, over all partitions; null where the group has never taken any. */
  readonly records: number | null;
}

/** Asks the broker for every group of ours. */
export async function groupLags(config: Config, log: Logger): Promise<GroupLag[]> {
  const admin = openKafka(config, log, PROMPT).admin();
  await admin.connect();
  try {
    const all = await lagsOf(admin, config, ourGroups(config));
    const pairs = new Map<string, typeof all>();
    for (const lag of all) pairs.set(`${lag.group} ${lag.topic}`, [...(pairs.get(`${lag.group} ${lag.topic}`) ?? []), lag]);
    return [...pairs.values()].flatMap((lags) => {
      const [first] = lags;
      if (!first) return [];
      const begun = lags.some((lag) => lag.begun);
      return [{ group: first.group, topic: first.topic, records: begun ? lags.reduce((sum, { records }) => sum + records, 0) : null }];
    });
  } finally {
    await admin.disconnect();
  }
}
