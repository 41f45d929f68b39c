import type { Client } from '@temporalio/client';
import { domains } from '../../workflows/domains';
import type { Domain } from '../../workflows/kernel/definition';
import type { Phase } from '../../workflows/kernel/lifecycle';
import type { Config } from '../config';
import { textOf } from '../errors';
import type { Queryable } from '../facts/postgres';
import { factsOfMany } from '../facts/read';
import type { Logger } from '../log';
import { storyIds } from '../logging/story';
import { sweptStories } from '../metrics';
import { startOwnWorkflow } from '../temporal/start';

export interface SweeperDeps {
  readonly config: Config;
  readonly db: Queryable;
  readonly temporal: Client;
  readonly log: Logger;
}

/** Stories looked at together. */
const PAGE = 200;

/**
 * Starts, by its own name, every story that should be moving and has had no fact for a while: whatever
 * lost its run (a terminated lane, an emptied namespace) is found here, and so is one that waited and whose
 * time is over. A story that is merely slow runs already, and starting it again changes nothing. Returns how
 * many it looked after.
 */
export async function sweep(deps: SweeperDeps, domain: Domain): Promise<number> {
  const { STUCK_AFTER_MS, domainSettings } = deps.config;
  const waitsMs = domain.waitsAtMostMs?.(domainSettings[domain.name] ?? {});
  const working = await sweepPhase(deps, domain, 'working', STUCK_AFTER_MS);
  return waitsMs === undefined ? working : working + (await sweepPhase(deps, domain, 'waiting', waitsMs + STUCK_AFTER_MS));
}

async function sweepPhase({ config, db, temporal, log }: SweeperDeps, domain: Domain, phase: Phase, stuckAfterMs: number): Promise<number> {
  let swept = 0;
  let after = { updated_at: '-infinity', id: '' };
  for (;;) {
    const page = await stuckAfter(db, domain, phase, stuckAfterMs, after);
    const last = page.at(-1);
    if (!last) return swept;
    const first = (await factsOfMany(db, domain.name, page.map(({ id }) => ({ id, version: 1 })))).filter((fact) => fact.version === 1);
    for (const fact of first) {
      await startOwnWorkflow(temporal, config, domain, fact);
      log.debug({ domain: domain.name, aggregate_id: fact.id, ...storyIds(fact) }, 'a story that did not move is started again');
    }
    swept += first.length;
    sweptStories.inc({ domain: domain.name }, first.length);
    after = last;
  }
}

async function stuckAfter(
  db: Queryable, { view }: Domain, phase: Phase, stuckAfterMs: number, after: { updated_at: string; id: string },
): Promise<{ updated_at: string; id: string }[]> {
  const { rows } = await db.query<{ updated_at: string; id: string }>(
    `SELECT updated_at::text AS updated_at, ${view.key}::text AS id FROM ${view.table}
     WHERE phase = '${phase}' AND updated_at < (now() AT TIME ZONE 'UTC') - $1 * interval '1 ms'
       AND (updated_at, ${view.key}::text) > ($2::timestamp, $3)
     ORDER BY updated_at, ${view.key}::text LIMIT ${PAGE}`,
    [stuckAfterMs, after.updated_at, after.id],
  );
  return rows;
}

/** Sweeps every domain again and again, until the returned function is called. */
export function keepSweeping(deps: SweeperDeps): () => void {
  let timer: NodeJS.Timeout | undefined;
  let stopped = false;

  async function round(): Promise<void> {
    for (const domain of domains) {
      try {
        await sweep(deps, domain);
      } catch (thrown) {
        // A store is away; what was not swept now is swept in the next round.
        deps.log.warn({ cause: textOf(thrown), domain: domain.name }, 'the sweeper waits');
      }
    }
    if (!stopped) timer = setTimeout(() => void round(), deps.config.SWEEP_EVERY_MS);
  }

  void round();
  return () => {
    stopped = true;
    clearTimeout(timer);
  };
}
