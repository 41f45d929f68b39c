import { textOf } from '../errors';
import type { Queryable } from '../facts/postgres';
import type { Logger } from '../log';
import { forgotten } from './ledger';
import type { SlipQueue } from './queue';

const LOOK_EVERY_MS = 60_000;

/**
 * Writes new slips for letters that nobody has touched for long: the queue lost theirs with its disk, or it is on
 * RabbitMQ and Kafka carries them now. A slip too many does no harm, as the letter's row decides who sends it.
 * @returns what ends it
 */
export function keepRemembering({ db, queue, log }: { db: Queryable; queue: SlipQueue; log: Logger }): () => void {
  const timer = setInterval(() => {
    remember({ db, queue }).then(
      (count) => count > 0 && log.warn({ count }, 'letters had been forgotten'),
      (thrown: unknown) => log.warn({ cause: textOf(thrown) }, 'cannot look for forgotten letters now'),
    );
  }, LOOK_EVERY_MS);
  timer.unref();
  return () => clearInterval(timer);
}

/** One look. @returns how many slips were written. */
export async function remember({ db, queue }: { db: Queryable; queue: SlipQueue }, afterMs?: number): Promise<number> {
  const slips = await forgotten(db, afterMs);
  await queue.put(slips);
  return slips.length;
}
