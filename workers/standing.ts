import type { Pool } from 'pg';
import { untilWhole } from '../src/facts/standing';
import type { Running } from '../src/process';
import { domains } from '../workflows/domains';

/** How long a process waits before it says that it is ready all the same: what it waits for may be a person, ms. */
const READY_AFTER_MS = 5_000;

/**
 * Begins to take records in as soon as this database is known to be whole. The process counts as ready while it
 * waits for a recovery, because that recovery needs everything else to be there.
 */
export async function whenWhole({ config, log, onStop, fail }: Pick<Running, 'config' | 'log' | 'onStop' | 'fail'>, db: Pool, begin: () => Promise<void>): Promise<void> {
  let stopping = false;
  onStop(() => (stopping = true));
  const begun = untilWhole(config, log, db, ownTopics(), () => stopping).then(async (atWork) => {
    if (!atWork || stopping) return await atWork?.stop();
    onStop(() => atWork.stop());
    await begin();
  });
  begun.catch(fail);
  let timer: NodeJS.Timeout | undefined;
  await Promise.race([begun, new Promise((resolve) => (timer = setTimeout(resolve, READY_AFTER_MS)))]);
  clearTimeout(timer);
}

/** Topics of facts that no door reads: nobody writes them but us, and only after a fact was stored. */
function ownTopics(): string[] {
  const doors = new Set(domains.flatMap((domain) => domain.doors.map(({ topic }) => topic)));
  return [...new Set(domains.flatMap(({ topics }) => Object.values(topics)))].filter((topic) => !doors.has(topic));
}
