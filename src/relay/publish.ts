import { entityNamed } from '../entities';
import type { Queryable } from '../facts/postgres';
import { FACT_COLUMNS, storedFact, type StoredFact } from '../facts/read';
import { recordOf } from '../kafka/cloudevents';
import type { OutgoingRecord, Producer } from '../kafka/port';
import type { Logger } from '../log';
import { storyIds } from '../logging/story';
import { relayPublished } from '../metrics';
import { FORMATS_MARK, formatsOf, type WireFormats } from '../schemas/wire';
import { inWave } from '../tracing/published';

/** Facts read together at most. */
export const BATCH_MAX = 2_000;
/** So few marks may wait for the next look, to be made by its statement. */
const MARKS_WAIT_MAX = 100;

/** What is next, and the marks of the look before: one statement, because with little load each look finds one fact. */
const NEXT = {
  name: 'relay next',
  text: `WITH marked AS (UPDATE facts SET published_at = now() WHERE published_at IS NULL AND seq = ANY($2))
    SELECT ${FACT_COLUMNS}, ${FORMATS_MARK} AS formats FROM facts
    WHERE published_at IS NULL AND shard = ANY($1) AND seq <> ALL($2) ORDER BY facts.seq LIMIT ${BATCH_MAX}`,
};

/**
 * Publishes what is not published, of some shards; returns how many facts it took.
 *
 * Never by a cursor over `seq`: transactions do not commit in the order of their numbers, and a cursor
 * would pass by a fact that commits late. The partial index holds exactly what is still to do.
 *
 * In the order of each aggregate: a batch is sent in waves, of which each holds facts of an aggregate for one topic
 * only, and a wave begins when the one before it is acknowledged. Facts of one topic need not wait for each other: they
 * have one key, so one partition, which takes them in the order of the request or takes none. If the relay dies in
 * between, facts are sent again with the same id and the same bytes.
 * @param unmarked facts that were acknowledged and are not marked yet, by `seq`: those of the look before are marked now,
 *   and a few of this one are left for the next. Without it, all are marked at once.
 */
export async function publishPending(db: Queryable, producer: Producer, shards: readonly number[], log?: Logger, unmarked?: Set<string>): Promise<number> {
  const talks = log?.isLevelEnabled('debug') ?? false;
  const { rows } = await db.query<Parameters<typeof storedFact>[0] & { formats: string | null }>(NEXT, [shards, [...unmarked ?? []]]);
  unmarked?.clear();
  const facts = rows.map(storedFact);
  const [first] = rows;
  if (!first) return 0;
  const formats = await formatsOf(db, first.formats);
  for (const wave of wavesOf(facts)) {
    await inWave(wave, () => producer.send(wave.map((fact) => recordOfFact(fact, formats))));
    const acknowledged = wave.map((fact) => fact.seq);
    if (unmarked && facts.length <= MARKS_WAIT_MAX) for (const seq of acknowledged) unmarked.add(seq);
    else await mark(db, acknowledged);
    for (const { topic } of wave) relayPublished.inc({ topic });
    if (talks) for (const fact of wave) log?.debug({ domain: fact.domain, aggregate_id: fact.id, ...storyIds(fact), version: fact.version, topic: fact.topic }, 'published');
  }
  return facts.length;
}

const MARK = { name: 'relay mark', text: 'UPDATE facts SET published_at = now() WHERE published_at IS NULL AND seq = ANY($1)' };

/** Marks facts, by `seq`, as published. */
export async function mark(db: Queryable, acknowledged: readonly string[]): Promise<void> {
  if (acknowledged.length > 0) await db.query(MARK, [acknowledged]);
}

/** The record of a fact; the same fact gives the same record, every time. */
export function recordOfFact(fact: StoredFact, formats: WireFormats): OutgoingRecord {
  const envelope = {
    ceId: fact.ceId, type: fact.type, domain: fact.domain, aggregateId: fact.id, at: fact.at, version: fact.version,
    correlationId: fact.correlationId, causationId: fact.causationId, traceparent: fact.traceparent, ...(fact.context && { context: fact.context }),
  };
  const { value, contentType } = formats.ofFact(fact, fact.payload);
  const record = recordOf(fact.topic, fact.id, envelope, value, contentType);
  const entity = entityNamed(fact.domain);
  return entity ? { ...record, headers: { ...record.headers, ...entity.headers(fact) } } : record;
}

/**
 * Facts come in the order of `seq`, which is the order of versions within an aggregate: a version is
 * inserted only after the one before it was committed, and so takes a later number.
 */
export function wavesOf<F extends { domain: string; id: string; topic: string }>(facts: readonly F[]): F[][] {
  const last = new Map<string, { wave: number; topic: string }>();
  const waves: F[][] = [];
  for (const fact of facts) {
    const key = `${fact.domain}/${fact.id}`;
    const before = last.get(key);
    const wave = !before ? 0 : before.topic === fact.topic ? before.wave : before.wave + 1;
    last.set(key, { wave, topic: fact.topic });
    (waves[wave] ??= []).push(fact);
  }
  return waves;
}
