import { textOf } from '../errors';
import type { Queryable } from '../facts/postgres';
import type { Logger } from '../log';
import { forgetOldKeys } from './idempotency';

/** How often keys of yesterday are looked for, ms. */
const FORGET_EVERY_MS = 600_000;

/** Forgets what need not be remembered any longer; answers how to end it. */
export function keepHouse(db: Queryable, log: Logger): () => void {
  const timer = setInterval(() => {
    // Old keys count as forgotten whether or not they are there, so a round that fails may be left out.
    forgetOldKeys(db).catch((thrown: unknown) => log.debug({ cause: textOf(thrown) }, 'old keys stay for now'));
  }, FORGET_EVERY_MS);
  timer.unref();
  return () => clearInterval(timer);
}
