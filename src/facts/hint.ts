import type { Queryable } from './postgres';

/** The channel on which relays are woken. */
export const HINT_CHANNEL = 'facts';

/** The first hint goes at once; those that follow within this are one, ms. */
const TOGETHER_MS = 5;

/** A hint may be lost with its server, so nobody waits until its commit is on the disk. */
const HINT = `SELECT set_config('synchronous_commit', 'off', true), pg_notify('${HINT_CHANNEL}', '')`;

/**
 * Tells relays that there is something to publish. It is sent after the facts were committed and outside
 * their transaction, because NOTIFY takes a lock over the whole database at commit and would undo the
 * group commit. A hint that is lost costs a relay's next look, nothing else.
 */
export function openHint(db: Queryable, onTrouble: (trouble: unknown) => void): () => void {
  let resting = false;
  let due = false;

  function hint(): void {
    due = resting;
    if (resting) return;
    resting = true;
    db.query(HINT).catch(onTrouble);
    setTimeout(() => {
      resting = false;
      if (due) hint();
    }, TOGETHER_MS);
  }

  return hint;
}
