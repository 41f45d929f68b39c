import type { Domain } from '../../workflows/kernel/definition';
import type { Queryable } from '../facts/postgres';
import { gateWaiting } from '../metrics';

/** How often a door that waits looks again, ms. */
const LOOK_AGAIN_MS = 100;
/** How long a count is believed, ms. */
const FRESH_MS = 250;

/**
 * Back-pressure: a door waits while as many stories work as may. Counted from the view, so that the
 * bound holds over every process that starts stories, and over restarts; stories that wait for a person
 * are not in it. It is a bound to within one chunk a door, which is all that memory needs.
 */
export class Gate {
  private working = 0;
  private countedAt = 0;

  constructor(
    private readonly db: Queryable,
    private readonly domain: Domain,
    private readonly openMax: number,
  ) {}

  /** Waits until there is room for `wanted` more, or until nobody needs it any longer. */
  async enter(wanted: number, stale: () => boolean): Promise<void> {
    if (await this.room(wanted)) return;
    gateWaiting.inc({ domain: this.domain.name });
    try {
      while (!stale() && !(await this.room(wanted))) await new Promise((resolve) => setTimeout(resolve, LOOK_AGAIN_MS));
    } finally {
      gateWaiting.dec({ domain: this.domain.name });
    }
  }

  private async room(wanted: number): Promise<boolean> {
    if (Date.now() - this.countedAt > FRESH_MS) await this.count();
    if (this.working > 0 && this.working + wanted > this.openMax) return false;
    this.working += wanted;
    return true;
  }

  private async count(): Promise<void> {
    this.countedAt = Date.now();
    const { rows } = await this.db.query<{ working: number }>(
      `SELECT count(*)::int AS working FROM ${this.domain.view.table} WHERE phase = 'working'`,
    );
    this.working = rows[0]?.working ?? 0;
  }
}
