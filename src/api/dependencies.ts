import { textOf } from '../errors';

/** The systems that the API cannot do its work without. */
export const SYSTEMS = ['kafka', 'temporal', 'postgres'] as const;
/** All that `/readyz` names: beside the systems, whether the database still knows what the topics tell. */
export const DEPENDENCIES = [...SYSTEMS, 'facts'] as const;
export type DependencyName = (typeof DEPENDENCIES)[number];
/** Named as well where it is to be there, and never a reason not to be ready. */
export type OptionalName = 'clickhouse';

/**
 * Each resolves while its system answers and rejects while it does not; a check has to end by itself. `facts` is
 * asked of PostgreSQL, and only while that answers.
 */
export type Checks = Readonly<Record<DependencyName, () => Promise<unknown>>> & { readonly [Name in OptionalName]?: () => Promise<unknown> };

/** Says of what is away since when it is, where that is known better than by who has seen it first. */
export class AwaySince extends Error {
  constructor(message: string, readonly since: Date) {
    super(message);
  }
}

export interface DependencyState {
  readonly state: 'up' | 'away' | 'unknown';
  /** Since when it is in this state, ISO 8601 UTC. */
  readonly since: string;
  /** Why it is not up. */
  readonly reason?: string;
  /** True for what can be done without. */
  readonly optional?: boolean;
}

export type DependencyStates = Readonly<Record<DependencyName, DependencyState>> & { readonly [Name in OptionalName]?: DependencyState };

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
  let states: DependencyStates = { kafka: unseen, temporal: unseen, postgres: unseen, facts: unknownFacts(started) };
  let lookedAt = 0;
  let looking: Promise<void> | undefined;

  async function look(): Promise<void> {
    const [kafka, temporal, [postgres, facts], clickhouse] = await Promise.all([stateOf(checks.kafka, states.kafka), stateOf(checks.temporal, states.temporal), store(), optional()]);
    states = { kafka, temporal, postgres, facts, ...(clickhouse && { clickhouse }) };
    lookedAt = Date.now();
  }

  async function optional(): Promise<DependencyState | undefined> {
    return checks.clickhouse && { ...(await stateOf(checks.clickhouse, states.clickhouse ?? unseen)), optional: true };
  }

  /** A database that is away says nothing of what it knows, which is not the same as having lost it. */
  async function store(): Promise<readonly [DependencyState, DependencyState]> {
    const postgres = await stateOf(checks.postgres, states.postgres);
    if (postgres.state === 'up') return [postgres, await stateOf(checks.facts, states.facts)];
    return [postgres, states.facts.state === 'unknown' ? states.facts : unknownFacts(new Date().toISOString())];
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

function unknownFacts(since: string): DependencyState {
  return { state: 'unknown', since, reason: 'postgres says nothing of them' };
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
    return { state: 'away', since: thrown instanceof AwaySince ? thrown.since.toISOString() : since('away'), reason: textOf(thrown) };
  } finally {
    clearTimeout(timer);
  }
}
