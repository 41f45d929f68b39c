import type { Queryable } from './postgres';

/** The channel on which relays are woken. */
export const HINT_CHANNEL = 'facts';

/** Hints closer together than this are one, ms. */
const TOGETHER_MS = 5;

/**
 * Tells relays that there is something to publish. It is sent after the facts were committed and outside
 * their transaction, because NOTIFY takes a lock over the whole database at commit and would undo the
 * group commit. A hint that is lost costs a relay's next look, nothing else.
 */
export function openHint(db: Queryable, onTrouble: (trouble: unknown) => void): () => void {
  let due = false;
  return () => {
    if (due) return;
    due = true;
    setTimeout(() => {
      due = false;
      db.query(`SELECT pg_notify('${HINT_CHANNEL}', '')`).catch(onTrouble);
    }, TOGETHER_MS);
  };
}
