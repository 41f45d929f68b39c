import { forgetOldLetters } from '../deadletters/store';
import { textOf } from '../errors';
import { forgetOldMail } from '../facts/forget';
import type { Queryable } from '../facts/postgres';
import type { Logger } from '../log';
import { forgetOldKeys } from './idempotency';

/** How often keys of yesterday are looked for, ms. */
const FORGET_EVERY_MS = 600_000;

/** Forgets what need not be remembered any longer; answers how to end it. */
export function keepHouse(db: Queryable, log: Logger): () => void {
  const timer = setInterval(() => {
    // What is old counts as forgotten whether or not it is there, so a round that fails may be left out.
    Promise.all([forgetOldKeys(db), forgetOldMail(db), forgetOldLetters(db)]).catch((thrown: unknown) => log.debug({ cause: textOf(thrown) }, 'what is old stays for now'));
  }, FORGET_EVERY_MS);
  timer.unref();
  return () => clearInterval(timer);
}
