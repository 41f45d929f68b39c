import type { Client } from '@temporalio/client';
import type { Domain } from '../../workflows/kernel/definition';
import type { Mail } from '../../workflows/kernel/fact';
import { beginning, fold } from '../../workflows/kernel/lifecycle';
import type { Config } from '../config';
import { withoutDeadlock, type Queryable } from '../facts/postgres';
import { factsOfMany, lastVersions, withMail, type StoredFact } from '../facts/read';
import type { Hint } from '../facts/hint';
import { keyOfTelling, tellFacts, type Telling, type Told } from '../facts/tell';
import { grouped } from '../grouped';
import { inTurn } from '../in-turn';
import { timed } from '../outside';
import { startOwnWorkflow, startWithMail, type Beginning } from '../temporal/start';
import type { StartStories } from './lanes';
import type { Sorted } from './sort';

export interface AdmitDeps {
  readonly config: Config;
  readonly db: Queryable;
  readonly temporal: Client;
  /** Called after facts were stored, so that the relay need not wait for its next look. */
  readonly hint: Hint;
  /** How stories are brought on their way; by default each in a workflow of its own. */
  readonly start?: StartStories;
  /** How first facts are stored; by default each chunk's by themselves. */
  readonly tell?: TellFirst;
}

export type TellFirst = (domain: Domain, tellings: readonly Telling[]) => Promise<ToldFirst>;

interface ToldFirst extends Told {
  /** Ids of those stored for which mail is waiting. */
  readonly mailed: ReadonlySet<string>;
}

type Start = Extract<Sorted, { kind: 'start' }>;
type MailIn = Extract<Sorted, { kind: 'mail' }>;

/** Starts under way at the same time, of one chunk. */
const STARTS_AT_ONCE = 32;
/** First facts of one statement. */
const FIRST_FACTS_MAX = 1_000;

/** First facts of all partitions together: a fetch brings a few records of each, and a statement costs more than a fact. */
export function tellTogether(db: Queryable, hint: Hint): TellFirst {
  const byDomain = new Map<string, (tellings: readonly Telling[]) => Promise<ToldFirst>>();
  return (domain, tellings) => {
    if (tellings.length === 0) return tellFirst(db, domain, tellings, hint);
    const tell = byDomain.get(domain.name) ?? grouped((some) => tellFirst(db, domain, some, hint), { most: FIRST_FACTS_MAX, keyOf: (one) => one.id });
    byDomain.set(domain.name, tell);
    return tell(tellings);
  };
}

/**
 * Stores first facts, and only then, in a new statement, looks for mail: of a mail and a create that cross at least one
 * side sees the other, as `admitMail` has it.
 */
async function tellFirst(db: Queryable, domain: Domain, tellings: readonly Telling[], hint: Hint): Promise<ToldFirst> {
  const told = await tellFacts(db, domain, tellings, hint);
  const stored = tellings.filter((one) => told.stored.has(keyOfTelling(one))).map(({ id }) => id);
  return { ...told, mailed: await withMail(db, domain.name, stored) };
}

/**
 * Makes first facts of records, a whole chunk in one statement, and starts their stories. The facts table
 * alone decides what is a duplicate, however long ago Temporal forgot the workflow. A story that has only
 * its first fact may never have been started; starting it again is harmless.
 * @param fresh is given the ids whose first fact was stored now, before they are started: where that fails,
 *   the next try finds their facts and must still know that they are its own.
 * @param stored is called when the facts are stored, and only starting them is left to do
 * @returns the ids that the database refused for their data, with its words.
 */
export async function admitStarts(
  deps: AdmitDeps, domain: Domain, starts: readonly Start[], fresh: Set<string> = new Set(), stored: () => void = () => undefined,
): Promise<ReadonlyMap<string, string>> {
  const { db, hint, tell = (of, tellings) => tellFirst(db, of, tellings, hint) } = deps;
  const told = await timed('postgres', 'admit', () => tell(domain, starts.map((start) => tellingOf(domain, start))));
  const keyed = starts.map((start) => ({ start, key: keyOfTelling(start) }));
  const first = keyed.filter(({ key }) => told.stored.has(key)).map(({ start }) => beginningOf(start, told.mailed));
  for (const { id } of first) fresh.add(id);
  const known = keyed.filter(({ key }) => !told.stored.has(key) && !told.refused.has(key));
  const versions = await lastVersions(db, domain.name, known.map(({ start }) => start.id));
  const unstarted = new Set(known.filter(({ start }) => versions.get(start.id) === 1).map(({ start }) => start.id));

  const again = (await factsOfMany(db, domain.name, [...unstarted].map((id) => ({ id, version: 1 })))).filter((fact) => fact.version === 1);
  stored();
  await (deps.start ?? startAlone(deps))(domain, [...first, ...again]);

  return new Map(keyed.flatMap(({ start, key }) => (told.refused.has(key) ? [[start.id, told.refused.get(key) ?? '']] : [])));
}

/** Each story in the workflow that is named after its aggregate. */
export function startAlone({ config, temporal }: Pick<AdmitDeps, 'config' | 'temporal'>): StartStories {
  return (domain, stories) =>
    inTurn(stories, STARTS_AT_ONCE, async (one) => {
      await startOwnWorkflow(temporal, config, domain, one);
    });
}

/** The receipt is the time by which a story should have moved; the fact keeps the time that its sender gave. */
function tellingOf(domain: Domain, { id, fact, origin }: Start): Telling {
  const after = fold(domain.lifecycle, [fact], beginning(domain.lifecycle));
  return {
    id, fact, after: { ...after, movedAt: new Date().toISOString() },
    causedBy: origin.place, correlationId: origin.correlationId,
    ...(origin.traceparent && { traceparent: origin.traceparent }),
    ...(origin.published && { origin: origin.place }),
  };
}

function beginningOf({ id, fact, origin }: Start, mailed: ReadonlySet<string>): Beginning {
  return { id, data: fact.data, correlationId: origin.correlationId, ...(!mailed.has(id) && { first: fact }) };
}

/**
 * Takes mail in: its row first, committed, and only then, in a new statement, the look for the story's
 * first fact. The other side does the same with the two exchanged, so that of a mail and a create that
 * cross at least one sees the other. Mail for a story that is not there yet waits for it.
 * @returns the ids of stories that are over, to whom mail means nothing any more.
 */
export async function admitMail(deps: AdmitDeps, domain: Domain, mails: readonly MailIn[]): Promise<ReadonlySet<string>> {
  const { config, db, temporal } = deps;
  if (mails.length === 0) return new Set();
  await keepMail(db, domain.name, mails);
  const stories = new Map<string, StoredFact>();
  const over = await storiesOver(db, domain, mails.map(({ id }) => id));
  const wanted = [...new Set(mails.map(({ id }) => id))].filter((id) => !over.has(id)).map((id) => ({ id, version: 1 }));
  for (const fact of await factsOfMany(db, domain.name, wanted)) if (fact.version === 1) stories.set(fact.id, fact);
  await inTurn(mails, STARTS_AT_ONCE, async ({ id, mail }) => {
    const first = stories.get(id);
    if (first) await startWithMail(temporal, config, domain, first, mail);
  });
  return over;
}

async function keepMail(db: Queryable, domain: string, mails: readonly MailIn[]): Promise<void> {
  const rows = mails.map(({ id, mail }: { id: string; mail: Mail }) => ({ id, mail_id: mail.id, type: mail.type, data: mail.data }));
  await withoutDeadlock(() =>
    db.query(
      `INSERT INTO mail (aggregate_type, aggregate_id, mail_id, type, data)
       SELECT $1, m.id, m.mail_id, m.type, m.data
       FROM json_to_recordset($2::json) AS m(id text, mail_id text, type text, data json)
       ORDER BY m.id, m.mail_id
       ON CONFLICT DO NOTHING`,
      [domain, JSON.stringify(rows)],
    ),
  );
}

/** Those of the ids whose stories are over. */
export async function storiesOver(db: Queryable, { view }: Domain, ids: readonly string[]): Promise<Set<string>> {
  // The ids take the type of the view's key, whatever it is, so that its index serves.
  const { rows } = await db.query<{ id: string }>(
    `SELECT v.${view.key}::text AS id FROM json_populate_recordset(NULL::${view.table}, $1) AS asked
     JOIN ${view.table} v ON v.${view.key} = asked.${view.key} WHERE v.phase = 'done'`,
    [JSON.stringify([...new Set(ids)].map((id) => ({ [view.key]: id })))],
  );
  return new Set(rows.map((row) => row.id));
}
