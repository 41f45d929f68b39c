import type { Logger } from '../log';

/** The same trouble is said again after this at the earliest, ms. */
const SAID_EVERY_MS = 10_000;
/** Troubles that are told apart, of one log; beyond that the oldest is forgotten, and would be said once more. */
const TROUBLES_MAX = 200;

interface Trouble { readonly saidAt: number; unsaid: number }

const troublesOf = new WeakMap<Logger, Map<string, Trouble>>();

/**
 * Says a warning at once, and the same one again only every ten seconds, with how often it came meanwhile: what is
 * away troubles every story and every partition at once, and a log of that is one that nobody can read. What is not
 * said as a warning is said at debug.
 * @param key what makes it the same
 */
export function warnSparingly(log: Logger, key: string, fields: object, message: string): void {
  const troubles = troublesOf.get(log) ?? new Map<string, Trouble>();
  troublesOf.set(log, troubles);
  const now = Date.now();
  const known = troubles.get(key);
  if (known && now - known.saidAt < SAID_EVERY_MS) {
    known.unsaid += 1;
    log.debug(fields, message);
    return;
  }
  troubles.delete(key);
  troubles.set(key, { saidAt: now, unsaid: 0 });
  const [oldest] = troubles.keys();
  if (troubles.size > TROUBLES_MAX && oldest !== undefined) troubles.delete(oldest);
  log.warn({ ...fields, ...(known && known.unsaid > 0 && { unsaid: known.unsaid }) }, message);
}
