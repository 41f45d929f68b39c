import { textOf } from '../errors';

/** What the API cannot do its work without, by the name that `/readyz` gives it. */
export type DependencyName = 'kafka' | 'temporal' | 'postgres';

export const DEPENDENCIES = ['kafka', 'temporal', 'postgres'] as const satisfies readonly DependencyName[];

/** Each resolves while its system answers and rejects while it does not; a check has to end by itself. */
export type Checks = Readonly<Record<DependencyName, () => Promise<unknown>>>;

export interface DependencyState {
  readonly state: 'up' | 'away';
  /** Since when it is in this state, ISO 8601 UTC. */
  readonly since: string;
  /** Why it is away. */
  readonly reason?: string;
}

export type DependencyStates = Readonly<Record<DependencyName, DependencyState>>;

/** An answer is good for this long, so that probes cost the systems nothing, ms. */
const FRESH_MS = 500;
/** How often the systems are looked at when nobody asks, so that `since` is right, ms. */
const LOOK_EVERY_MS = 2_000;
/** A system that says nothing for this long is away, ms. */
const CHECK_TIMEOUT_MS = 1_500;

export interface Watch {
  now(): Promise<DependencyStates>;
  stop(): void;
}

/** Keeps an eye on the systems; any number of concurrent questions cost one look. */
export function watchDependencies(checks: Checks): Watch {
  const started = new Date().toISOString();
  const unseen: DependencyState = { state: 'away', since: started, reason: 'not looked at yet' };
  let states: DependencyStates = { kafka: unseen, temporal: unseen, postgres: unseen };
  let lookedAt = 0;
  let looking: Promise<void> | undefined;

  async function look(): Promise<void> {
    const seen = await Promise.all(DEPENDENCIES.map(async (name) => [name, await stateOf(checks[name], states[name])] as const));
    states = Object.fromEntries(seen) as Record<DependencyName, DependencyState>;
    lookedAt = Date.now();
  }

  async function now(): Promise<DependencyStates> {
    if (Date.now() - lookedAt > FRESH_MS) {
      looking ??= look().finally(() => (looking = undefined));
      await looking;
    }
    return states;
  }

  const timer = setInterval(() => void now(), LOOK_EVERY_MS);
  timer.unref();
  return { now, stop: () => clearInterval(timer) };
}

async function stateOf(check: () => Promise<unknown>, before: DependencyState): Promise<DependencyState> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${CHECK_TIMEOUT_MS} ms`)), CHECK_TIMEOUT_MS);
  });
  const since = (state: DependencyState['state']): string => (before.state === state ? before.since : new Date().toISOString());
  try {
    await Promise.race([check(), late]);
    return { state: 'up', since: since('up') };
  } catch (thrown) {
    return { state: 'away', since: since('away'), reason: textOf(thrown) };
  } finally {
    clearTimeout(timer);
  }
}
