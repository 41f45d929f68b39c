import type { Pool } from 'pg';
import { domains } from '../../workflows/domains';
import { countRecords } from '../audit/audit';
import { isInSlice, slicesOf } from '../audit/slices';
import type { Config } from '../config';
import { isDataFault, type Queryable } from '../facts/postgres';
import { alone, setStanding } from '../facts/standing';
import { inTransaction } from '../facts/transaction';
import { openCodec } from '../kafka/codec';
import type { Logger } from '../log';
import { enterInBooks } from './books';
import { gather, type Gathered, type GatheredMail } from './gather';
import { markPerhapsSent, sendNothingOld } from './letters';
import { restoreStories } from './restore';
import { unfinishedOf } from './unfinished';

export interface RecoverDeps {
  readonly config: Config;
  readonly log: Logger;
  readonly db: Pool;
  readonly onProgress?: (text: string) => void;
}

/** What a recovery of PostgreSQL did, and what it cannot know. */
export interface PostgresRecovery {
  /** Aggregates that the topics tell of, by `aggregate_type`. */
  readonly aggregates: Readonly<Record<string, number>>;
  /** Facts that were stored again. */
  readonly facts: number;
  /** Of these, first facts that were on no topic yet and were made again of the requests that asked for them. */
  readonly fromRequests: number;
  /** Commands to stories that are not over, kept again. */
  readonly mail: number;
  /** Letters that nobody knows to have been sent; they are not sent (again). */
  readonly perhapsSent: number;
  /** Stories that are not over, by domain; they go on by the sweeper, or at once by `recover temporal`. */
  readonly unfinished: Readonly<Record<string, number>>;
  /** Versions that are on no topic any more, though later ones are; what comes after them was not stored. */
  readonly gaps: readonly { readonly aggregate: string; readonly id: string; readonly version: number }[];
  /** What a person has to look at. */
  readonly said: readonly string[];
  /** Tables of things that nobody tells topics of: rows now. What is missing comes back by a backup alone. */
  readonly onlyInPostgres: Readonly<Record<string, number>>;
}

/** Aggregates that come back in one transaction. */
const PAGE = 200;

/**
 * Makes facts, views, mail and books again from what the topics know, after PostgreSQL was lost or put back to an
 * older state: same ids, same bytes, in order. What is stored already stays. Nothing is acted again, and no record
 * is written. It may be run again, and goes on where it was.
 * @throws FazendaError FZ_STILL_AT_WORK while records are being taken in; FZ_KAFKA_AWAY, FZ_SCHEMA_REGISTRY_AWAY
 */
export async function recoverPostgres(deps: RecoverDeps): Promise<PostgresRecovery> {
  return await alone(deps.config, async () => {
    await setStanding(deps.db, 'lost');
    const done = await recoverAll(deps);
    await setStanding(deps.db, 'whole');
    return done;
  });
}

async function recoverAll({ config, log, db, onProgress }: RecoverDeps): Promise<PostgresRecovery> {
  const total = { aggregates: {} as Record<string, number>, facts: 0, fromRequests: 0, mail: 0, perhapsSent: await sendNothingOld(db), gaps: [] as { aggregate: string; id: string; version: number }[], said: [] as string[] };
  const codec = openCodec(config, db);
  for (const slice of slicesOf(await countRecords(config, log))) {
    onProgress?.(`reading the topics${slice.of > 1 ? `, part ${slice.at + 1} of ${slice.of}` : ''}`);
    const { aggregates, mail, contradictions, unreadable } = await gather(config, log, codec, (_aggregate, id) => isInSlice(id, slice));
    total.said.push(...contradictions.map((place) => `${place} tells a version otherwise than a record before it; the first one counts`));
    total.said.push(...unreadable.map((why) => `a fact of ours cannot be read, ${why}`));
    const stories = [...aggregates.values()];
    for (let at = 0; at < stories.length; at += PAGE) {
      await restorePage(db, stories.slice(at, at + PAGE));
      onProgress?.(`${Math.min(at + PAGE, stories.length)} of ${stories.length} aggregates`);
    }
    total.mail += await keepMail(db, mail);
  }
  const unfinished: Record<string, number> = {};
  for (const domain of domains) unfinished[domain.name] = await unfinishedOf(db, domain);
  return { ...total, unfinished, onlyInPostgres: await countOthers(db) };

  /** Whoever the database refuses for its data stands alone in the end, and is named. */
  async function restorePage(pool: Pool, page: readonly Gathered[]): Promise<void> {
    try {
      const done = await inTransaction(pool, async (tx) => await restoreAll(tx, page));
      for (const { source } of page) total.aggregates[source.name] = (total.aggregates[source.name] ?? 0) + 1;
      total.facts += done.facts;
      total.fromRequests += done.fromRequests;
      total.perhapsSent += done.letters;
      total.gaps.push(...done.gaps);
      total.said.push(...done.said);
    } catch (thrown) {
      if (!isDataFault(thrown)) throw thrown;
      const [first] = page;
      if (page.length === 1 && first) return void total.said.push(`${first.source.name} ${first.id} cannot be stored: ${String(thrown)}`);
      const half = Math.ceil(page.length / 2);
      await restorePage(pool, page.slice(0, half));
      await restorePage(pool, page.slice(half));
    }
  }
}

async function restoreAll(tx: Queryable, page: readonly Gathered[]) {
  const restored = await restoreStories(tx, page);
  let letters = 0;
  const said: string[] = [];
  for (const source of new Set(page.map((story) => story.source))) {
    const ids = page.filter((story) => story.source === source).map(({ id }) => id);
    said.push(...(await enterInBooks(tx, source, ids)));
    letters += await markPerhapsSent(tx, source, ids);
  }
  return { ...restored, letters, said };
}

/** Keeps mail again for stories that are not over, and for those that never began: a cancel may come before its create. */
async function keepMail(db: Queryable, mail: readonly GatheredMail[]): Promise<number> {
  let kept = 0;
  for (const domain of domains) {
    const { table, key } = domain.view;
    const rows = mail.filter((one) => one.domain === domain).map(({ id, mailId, type, data, at }) => ({ id, mail_id: mailId, type, data, at }));
    if (rows.length === 0) continue;
    const { rowCount } = await db.query(
      `INSERT INTO mail (aggregate_type, aggregate_id, mail_id, type, data, received_at)
       SELECT $1, m.id, m.mail_id, m.type, m.data, m.at FROM json_to_recordset($2::json) AS m(id text, mail_id text, type text, data json, at timestamptz)
       WHERE NOT EXISTS (SELECT 1 FROM ${table} v WHERE v.${key}::text = m.id AND v.phase = 'done') ORDER BY m.id, m.mail_id
       ON CONFLICT DO NOTHING`,
      [domain.name, JSON.stringify(rows)],
    );
    kept += rowCount ?? 0;
  }
  return kept;
}

/** Tables that people fill by the api and nobody tells topics of. */
async function countOthers(db: Queryable): Promise<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (const { table } of domains.flatMap(({ http }) => http.resources)) {
    const { rows } = await db.query<{ count: number }>(`SELECT count(*)::int AS count FROM ${table}`);
    counts[table] = rows[0]?.count ?? 0;
  }
  return counts;
}
