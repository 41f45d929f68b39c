import type { Activities } from '../../activities';

/** Called in the place of every activity, by name, with what it would have done. */
export type Around = (name: string, args: readonly unknown[], run: () => Promise<unknown>) => Promise<unknown>;

/** The same activities, each behind `around`. */
export function wrapped(activities: Activities, around: Around): Activities {
  const entries = Object.entries(activities).map(([name, run]) => [
    name, (...args: unknown[]) => around(name, args, () => (run as (...given: unknown[]) => Promise<unknown>)(...args)),
  ]);
  return Object.fromEntries(entries) as Activities;
}
