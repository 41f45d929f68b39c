import type { Pool } from 'pg';
import { SOURCES } from '../audit/sources';
import { outgoing, type KeptRecord } from '../api/submissions';
import type { Config } from '../config';
import type { Queryable } from '../facts/postgres';
import { FACT_COLUMNS, storedFact, type StoredFact } from '../facts/read';
import { SHARDS } from '../facts/schema';
import type { OutgoingRecord, Producer } from '../kafka/port';
import { createTopics } from '../kafka/topics';
import type { Logger } from '../log';
import { recordOfFact } from '../relay/publish';
import { openRelay } from '../relay/relay';
import { extentsOf } from '../replay/read-topics';
import { loadFormats } from '../schemas/wire';

export interface KafkaRecoverDeps {
  readonly config: Config;
  readonly log: Logger;
  readonly db: Pool;
  readonly producer: Producer;
  readonly onProgress?: (text: string) => void;
}

/** What a recovery of the topics did. */
export interface KafkaRecovery {
  /** Topics that were made because they were missing, as the cluster names them. */
  readonly made: readonly string[];
  /** Topics that held nothing though facts are told on them, and were filled. */
  readonly filled: readonly string[];
  /** Facts put on them again, same id, same bytes. */
  readonly facts: number;
  /** Requests that the api had accepted and no door had taken in, put on their topics again as they were. */
  readonly requests: number;
}

const PAGE = 1_000;
const LOOK_EVERY_MS = 250;

/**
 * Fills topics that were lost from the stored facts: each with the id and the bytes that it had, in the order of
 * its aggregate. Only topics that hold nothing are filled, unless all are asked for. It may be run while everything
 * works: whoever reads takes notice of a fact once, and letters are not sent again, because the facts' ids are known.
 * @throws FazendaError FZ_KAFKA_AWAY
 */
export async function recoverKafka({ config, log, db, producer, onProgress }: KafkaRecoverDeps, all = false): Promise<KafkaRecovery> {
  const made = await createTopics(config, log);
  const filled = await lostTopics(config, log, db, all);
  let facts = await putFirstFacts(db, producer, filled);
  onProgress?.(`${facts} first facts that had come in by their topics`);
  const requests = await putRequests(db, producer);
  facts += await publishAnew(db, filled);
  onProgress?.(`${facts} facts to put on ${filled.length} topics`);
  // A relay like any other: where one runs already, this one stands by and that one does the work.
  const relay = openRelay(config, log, producer);
  relay.start();
  try {
    for (let left = await unpublished(db, filled); left > 0; left = await unpublished(db, filled)) {
      onProgress?.(`${left} facts left`);
      await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
    }
  } finally {
    await relay.stop();
  }
  return { made, filled, facts, requests };
}

/** Topics of facts that hold nothing now and never did since they were made, though something was published there. */
async function lostTopics(config: Config, log: Logger, db: Queryable, all: boolean): Promise<string[]> {
  const topics = [...new Set(SOURCES.flatMap((source) => Object.values(source.topics)))];
  const written = new Set((await extentsOf(config, log, topics)).filter(({ high }) => high > 0n).map(({ topic }) => topic));
  const { rows } = await db.query<{ topic: string }>('SELECT DISTINCT topic FROM facts WHERE published_at IS NOT NULL AND topic = ANY($1) ORDER BY topic', [topics]);
  return rows.map(({ topic }) => topic).filter((topic) => all || !written.has(topic));
}

/** First facts that came in by their own topics: the api's record as it was kept, else the fact as we tell it. */
async function putFirstFacts(db: Queryable, producer: Producer, topics: readonly string[]): Promise<number> {
  let count = 0;
  for (let after = '0'; ; ) {
    const { rows } = await db.query<Parameters<typeof storedFact>[0] & { kept: KeptRecord | null }>(
      `SELECT ${FACT_COLUMNS}, (SELECT s.record FROM submissions s WHERE s.aggregate_type = f.aggregate_type AND s.aggregate_id = f.aggregate_id AND s.sent_at IS NOT NULL) AS kept
       FROM facts f WHERE origin IS NOT NULL AND topic = ANY($1) AND seq > $2 ORDER BY f.seq LIMIT ${PAGE}`, [topics, after]);
    if (rows.length === 0) return count;
    // After the facts, so that none is seen without the format that it was stored under.
    const formats = await loadFormats(db);
    await producer.send(rows.map((row) => firstRecord(storedFact(row), row.kept, (fact) => recordOfFact(fact, formats))));
    count += rows.length;
    after = rows.at(-1)?.seq ?? after;
  }
}

/** What was kept is the record that came in only where it says the same fact on the same topic. */
function firstRecord(fact: StoredFact, kept: KeptRecord | null, tell: (fact: StoredFact) => OutgoingRecord): OutgoingRecord {
  return kept?.topic === fact.topic && kept.headers.ce_id === fact.ceId && kept.headers.correlation_id === fact.correlationId ? outgoing(kept) : tell(fact);
}

/** Requests that were accepted and are in nobody's facts: their records were lost with their topic. */
async function putRequests(db: Queryable, producer: Producer): Promise<number> {
  const { rows } = await db.query<{ record: KeptRecord }>(
    `SELECT s.record FROM submissions s WHERE s.sent_at IS NOT NULL
       AND NOT EXISTS (SELECT 1 FROM facts f WHERE f.aggregate_type = s.aggregate_type AND f.aggregate_id = s.aggregate_id AND f.version = 1)`);
  for (let at = 0; at < rows.length; at += PAGE) await producer.send(rows.slice(at, at + PAGE).map(({ record }) => outgoing(record)));
  return rows.length;
}

/** Lets facts count as unpublished again, all those of an aggregate at once, so that they go out in order. */
async function publishAnew(db: Queryable, topics: readonly string[]): Promise<number> {
  let count = 0;
  for (let shard = 0; shard < SHARDS; shard += 1) {
    const { rowCount } = await db.query('UPDATE facts SET published_at = NULL WHERE shard = $1 AND origin IS NULL AND published_at IS NOT NULL AND topic = ANY($2)', [shard, topics]);
    count += rowCount ?? 0;
  }
  return count;
}

async function unpublished(db: Queryable, topics: readonly string[]): Promise<number> {
  const { rows } = await db.query<{ count: number }>('SELECT count(*)::int AS count FROM facts WHERE published_at IS NULL AND topic = ANY($1)', [topics]);
  return rows[0]?.count ?? 0;
}
