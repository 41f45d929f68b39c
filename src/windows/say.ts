import { isDeepStrictEqual } from 'node:util';
import type { WindowValue } from './contract';
import type { Result } from './results';
import type { Computed } from './statement';
import type { Stream } from './streams';

/** What can be said of a window now, beside what was said before. Pure. */

/** What comes of a look: something new to say, nothing new, or a log that knows less than was said before. */
export type Verdict =
  | { readonly kind: 'new'; readonly result: Result }
  | { readonly kind: 'same' }
  | { readonly kind: 'less' };

/**
 * @param before what was said last
 * @param nowMs ms since 1970
 * @param latenessMs how long after its end a window is still expected to change
 */
export function sayWindow(stream: Stream, computed: Computed, before: WindowValue | undefined, nowMs: number, latenessMs: number): Verdict {
  const { startMs, events, incomplete, figures } = computed;
  const endMs = startMs + stream.sizeMs;
  const window: WindowValue = {
    stream: stream.topic, start: instant(startMs), end: instant(endMs), revision: (before?.revision ?? 0) + 1,
    // Once closed is closed, whatever a clock says later.
    closed: (before?.closed ?? false) || nowMs >= endMs + latenessMs,
    events, incomplete, ...figures,
  };
  if (before === undefined) return { kind: 'new', result: resultOf(window, nowMs) };
  if (knowsLess(stream, window, before)) return { kind: 'less' };
  return isDeepStrictEqual({ ...window, revision: 0 }, { ...before, revision: 0 }) ? { kind: 'same' } : { kind: 'new', result: resultOf(window, nowMs) };
}

/** The same window once more, now that its time is over. */
export function closeWindow(before: WindowValue, nowMs: number): Result {
  return resultOf({ ...before, revision: before.revision + 1, closed: true }, nowMs);
}

/**
 * The log only grows, and so do these figures of a window. Where one has shrunk, the log is being filled again or has
 * forgotten: then what was said before is the better knowledge, and stays.
 */
function knowsLess({ measures }: Stream, now: WindowValue, before: WindowValue): boolean {
  if (now.events < before.events) return true;
  if (now.events === before.events && now.incomplete > before.incomplete) return true;
  return Object.entries(measures).some(([name, { kind }]) => {
    if (kind === 'count' || kind === 'quantity') return Number(now[name]) < Number(before[name] ?? 0);
    if (kind !== 'tally') return false;
    const [counts, counted] = [now[name], before[name]] as [Record<string, number>, Record<string, number> | undefined];
    return Object.entries(counted ?? {}).some(([key, count]) => (counts[key] ?? 0) < count);
  });
}

function resultOf(window: WindowValue, nowMs: number): Result {
  return { window, text: JSON.stringify(window), toldAt: instant(nowMs) };
}

function instant(ms: number): string {
  return new Date(ms).toISOString();
}
