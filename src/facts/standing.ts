import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from 'pg';
import { domains } from '../../workflows/domains';
import type { Config } from '../config';
import { FazendaError, textOf } from '../errors';
import type { Logger } from '../log';
import { extentsOf } from '../replay/read-topics';
import type { Queryable } from './postgres';

/**
 * Whether this database is the one that the topics were written from. One that was made anew beside topics that
 * hold our facts is not: it would take what it has forgotten for new. Until it is recovered, nobody takes anything in.
 */
export const STANDING = `
CREATE TABLE IF NOT EXISTS store_standing (
  one BOOLEAN PRIMARY KEY DEFAULT TRUE CHECK (one),
  -- 'new': nobody has looked at the topics yet; 'whole'; 'lost': npx fazenda recover postgres has to come first.
  state TEXT NOT NULL CHECK (state IN ('new', 'whole', 'lost')),
  changed_at TIMESTAMPTZ NOT NULL DEFAULT now()
);
INSERT INTO store_standing (state) SELECT CASE WHEN EXISTS (SELECT 1 FROM facts) THEN 'whole' ELSE 'new' END ON CONFLICT DO NOTHING;
`;

type Standing = 'new' | 'whole' | 'lost';

/** Any number. Held shared by whoever takes records in, and alone by a recovery. */
const AT_WORK_LOCK = 5_140_614;
const LOOK_AGAIN_MS = 1_000;

export async function setStanding(db: Queryable, state: Standing): Promise<void> {
  await db.query('INSERT INTO store_standing (state) VALUES ($1) ON CONFLICT (one) DO UPDATE SET state = EXCLUDED.state, changed_at = now()', [state]);
}

export async function standing(db: Queryable): Promise<Standing> {
  return (await standingSince(db)).state;
}

/** How it stands, and since when. */
export async function standingSince(db: Queryable): Promise<{ readonly state: Standing; readonly since: Date }> {
  const { rows } = await db.query<{ state: Standing; since: Date }>('SELECT state, changed_at AS since FROM store_standing');
  return rows[0] ?? { state: 'new', since: new Date() };
}

/** A place among those who take records in, which a recovery respects. */
export interface AtWork {
  stop(): Promise<void>;
}

/**
 * Resolves once this database is known to be whole, and no recovery is under way; undefined where it was stopped
 * before. What it waits for is said once.
 * @param ownTopics the topics that nobody but us writes facts to: what they hold, this database has once known
 */
export async function untilWhole(config: Config, log: Logger, db: Queryable, ownTopics: readonly string[], stopped: () => boolean): Promise<AtWork | undefined> {
  let said = false;
  while (!stopped()) {
    try {
      const session = await enter(config, log);
      if (await isWhole(config, log, db, ownTopics)) return { stop: () => session.end() };
      await session.end();
      if (!said) log.error(new FazendaError('FZ_FACTS_LOST', 'PostgreSQL knows nothing of what the topics tell').line);
      said = true;
    } catch (thrown) {
      log.warn({ cause: textOf(thrown) }, 'it is not known yet whether PostgreSQL is whole');
    }
    await sleep(LOOK_AGAIN_MS);
  }
  return undefined;
}

async function isWhole(config: Config, log: Logger, db: Queryable, ownTopics: readonly string[]): Promise<boolean> {
  const state = await standing(db);
  if (state !== 'new') return state === 'whole';
  // Whoever is held up here tells no story, so one that is there was told before the tables were ours to judge.
  const { rows } = await db.query<{ known: boolean }>('SELECT EXISTS (SELECT 1 FROM facts WHERE aggregate_type = ANY($1)) AS known', [domains.map(({ name }) => name)]);
  const told = !rows[0]?.known && (await extentsOf(config, log, ownTopics)).some(({ low, high }) => high > low);
  await setStanding(db, told ? 'lost' : 'whole');
  return !told;
}

/** A session that holds the lock with all others who work; it waits while a recovery has it alone. */
async function enter(config: Config, log: Logger): Promise<Client> {
  const session = new Client({ connectionString: config.DATABASE_URL.reveal(), application_name: 'fazenda-at-work', keepAlive: true });
  session.on('error', (thrown) => log.warn({ err: thrown }, 'the sign of being at work was lost'));
  await session.connect();
  await session.query('SELECT pg_advisory_lock_shared($1)', [AT_WORK_LOCK]);
  return session;
}

/**
 * Runs a recovery while nobody takes records in.
 * @throws FazendaError FZ_STILL_AT_WORK where somebody does
 */
export async function alone<Result>(config: Config, work: () => Promise<Result>): Promise<Result> {
  const session = new Client({ connectionString: config.DATABASE_URL.reveal(), application_name: 'fazenda-recovery', keepAlive: true });
  await session.connect();
  try {
    const { rows } = await session.query<{ free: boolean }>('SELECT pg_try_advisory_lock($1) AS free', [AT_WORK_LOCK]);
    if (!rows[0]?.free) throw new FazendaError('FZ_STILL_AT_WORK', 'an ingress or a dispatcher takes records in by this database');
    return await work();
  } finally {
    await session.end();
  }
}
