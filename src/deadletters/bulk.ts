import { setTimeout as sleep } from 'node:timers/promises';
import { FazendaError } from '../errors';
import type { Queryable } from '../facts/postgres';
import { cursorAfter, pageOfLetters, type Selection } from './list';
import { redrive, tryRedrive, type RedriveDeps, type Wish } from './redrive';
import type { Listed } from './store';
import type { Foreseen } from './foresee';

/** A call that redrives many ends after this long, ms, and says how to go on: nobody's request hangs for an hour. */
const CALL_BUDGET_MS = 10_000;
export const RATE_PRESET_PER_S = 10;
export const RATE_MAX_PER_S = 1_000;
/** Letters of one call at most. */
export const BULK_MAX = 100;

/** Which ones: named, or chosen by what they have in common, and then those that nobody has redriven, oldest first. */
export type Which = { readonly ids: readonly string[] } | { readonly where: Selection; readonly limit: number; readonly cursor: string | undefined };

export interface BulkWish extends Omit<Wish, 'value'> {
  readonly ratePerS: number;
  readonly dryRun: boolean;
}

export interface BulkOutcome {
  readonly redriven: readonly string[];
  /** Of a dry run: what each would become. */
  readonly foreseen: readonly { id: string; foreseen: Foreseen }[];
  readonly refused: readonly { id: string; error: FazendaError }[];
  /** What would hit every letter ended it early. */
  readonly stoppedBy: FazendaError | null;
  /** Ids that were named and not reached. */
  readonly left: readonly string[];
  /** Where to go on; null where nothing follows. */
  readonly nextCursor: string | null;
}

/**
 * Redrives one after the other, no faster than the rate. A letter that cannot be redriven for a reason of its own is
 * named and passed over; what would hit all of them ends the call. What was done is done, and asking again goes on.
 */
export async function redriveMany(deps: RedriveDeps, which: Which, wish: BulkWish): Promise<BulkOutcome> {
  const startedAt = Date.now();
  const { ids, cursors, last } = await chosen(deps.db, which);
  const redriven: string[] = [];
  const foreseen: { id: string; foreseen: Foreseen }[] = [];
  const refused: { id: string; error: FazendaError }[] = [];
  let stoppedBy: FazendaError | null = null;
  let at = 0;
  for (; at < ids.length; at += 1) {
    const id = ids[at] ?? '';
    const dueAt = wish.dryRun ? 0 : startedAt + (at * 1_000) / wish.ratePerS;
    if (Math.max(dueAt, Date.now()) >= startedAt + CALL_BUDGET_MS) break;
    await sleep(Math.max(0, dueAt - Date.now()));
    try {
      if (wish.dryRun) foreseen.push({ id, foreseen: (await tryRedrive(deps, id, undefined)).foreseen });
      else {
        await redrive(deps, id, wish);
        redriven.push(id);
      }
    } catch (thrown) {
      if (!(thrown instanceof FazendaError)) throw thrown;
      if (thrown.kind.retryable) {
        stoppedBy = thrown;
        break;
      }
      refused.push({ id, error: thrown });
    }
  }
  const whole = at === ids.length;
  const nextCursor = 'ids' in which ? null : whole ? last : at === 0 ? (which.cursor ?? null) : (cursors[at - 1] ?? null);
  return { redriven, foreseen, refused, stoppedBy, left: 'ids' in which ? ids.slice(at) : [], nextCursor };
}

async function chosen(db: Queryable, which: Which): Promise<{ ids: readonly string[]; cursors: (string | null)[]; last: string | null }> {
  if ('ids' in which) return { ids: [...new Set(which.ids)], cursors: [], last: null };
  const { where, limit, cursor } = which;
  const { items, nextCursor } = await pageOfLetters(db, { state: 'open', ...where }, limit, cursor, 'ASC');
  return { ids: items.map(({ id }) => id), cursors: items.map((item: Listed) => cursorAfter(item)), last: nextCursor };
}

