import type { Queryable } from './postgres';

/** The channel on which relays are woken. */
export const HINT_CHANNEL = 'facts';

/** The first hint goes at once; those that follow within this are one, ms. */
const TOGETHER_MS = 5;

/**
 * How long a fact may wait for those that follow it at once, ms: a lone story of four quick steps takes 25. One look and
 * one request for the four, and not four of each, spared an eighth of all that such a story costs at 20 a second
 * (60 and 51 CPU-ms), and made its last fact earlier, not later (p50 35 and 28 ms).
 */
const LINGER_MS = 20;

/** A hint may be lost with its server, so nobody waits until its commit is on the disk. */
const HINT = `SELECT set_config('synchronous_commit', 'off', true), pg_notify('${HINT_CHANNEL}', '')`;

/**
 * `now`: relays are woken at once. `soon`: within `LINGER_MS`, together with whatever is told until then. `carried`: a
 * statement wakes them by itself, so that what waited need not.
 */
export type Urgency = 'now' | 'soon' | 'carried';

export type Hint = (urgency?: Urgency) => void;

/**
 * Tells relays that there is something to publish. It is sent after the facts were committed and outside
 * their transaction, because NOTIFY takes a lock over the whole database at commit and would undo the
 * group commit. A hint that is lost costs a relay's next look, nothing else.
 */
export function openHint(db: Queryable, onTrouble: (trouble: unknown) => void): Hint {
  let resting = false;
  let due = false;
  let lingering: NodeJS.Timeout | undefined;

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

  return (urgency = 'now') => {
    if (urgency === 'soon') {
      lingering ??= setTimeout(() => {
        lingering = undefined;
        hint();
      }, LINGER_MS);
      return;
    }
    clearTimeout(lingering);
    lingering = undefined;
    if (urgency === 'now') hint();
  };
}
