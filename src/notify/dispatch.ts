import type { Queryable } from '../facts/postgres';
import { deadLetterOf } from '../ingress/deadletters';
import type { Codec } from '../kafka/codec';
import type { Chunk, Producer } from '../kafka/port';
import type { Logger } from '../log';
import { aboutRecord } from '../logging/story';
import { deadLettered } from '../metrics';
import { compose, noticesByTopic, NOTIFICATIONS_GROUP, type Letter } from './compose';
import { addLetters, markQueued, type Addressed } from './ledger';
import { noticed, type Noticed } from './metrics';
import type { SlipQueue } from './queue';

export interface DispatchDeps {
  readonly db: Queryable;
  readonly producer: Producer;
  readonly queue: SlipQueue;
  readonly log: Logger;
  readonly codec: Codec;
}

/**
 * Makes notifications of facts: a row first, which alone decides what is a duplicate, then a slip on the queue, and
 * once the queue has it safe the row says so. It throws only for what would hit any record (Postgres, Kafka, the
 * registry or the queue away): then no offset moves, the chunk comes again, and rows that are still `new` are put on the queue then.
 */
export async function dispatchChunk({ db, producer, queue, log, codec }: DispatchDeps, chunk: Chunk): Promise<void> {
  await codec.learn(chunk.records);
  const composed = chunk.records.map((record) => compose(NOTICES.get(chunk.topic) ?? [], record, codec));
  const letters = firstOfEach(composed.flatMap((one) => (one.kind === 'letter' ? [one.letter] : [])));
  const addresses = await addressesOf(db, letters);
  const addressed = letters.map((letter): Addressed => ({ ...letter, address: addresses.get(addressKey(letter)) ?? null }));
  const { fresh, unqueued } = await addLetters(db, addressed);
  if (unqueued.length > 0) {
    await queue.put(unqueued);
    await markQueued(db, unqueued.map(({ ceId }) => ceId));
  }

  const dead = composed.flatMap((one) => (one.kind === 'dead' ? [one] : []));
  await producer.send(dead.map(({ record, error }) => deadLetterOf(record, error, NOTIFICATIONS_GROUP, new Date())));
  for (const { record, error } of dead) {
    deadLettered.inc({ topic: record.topic, group: NOTIFICATIONS_GROUP, code: error.code });
    log.warn({ ...aboutRecord(record), group: NOTIFICATIONS_GROUP, code: error.code }, error.message);
  }

  const told = new Set(unqueued.map(({ ceId }) => ceId));
  const mute = new Set(addressed.filter(({ ceId, address }) => address === null && fresh.has(ceId)).map(({ ceId }) => ceId));
  for (const one of composed) {
    const fate = fateOf(one);
    noticed.inc({ topic: chunk.topic, fate });
    if (one.kind === 'letter') log.debug({ ...aboutRecord(one.record), domain: one.letter.domain, aggregate_id: one.letter.aggregateId, fate }, 'letter composed');
  }

  function fateOf(one: (typeof composed)[number]): Noticed {
    if (one.kind === 'filtered') return 'filtered';
    if (one.kind === 'dead') return 'dead_lettered';
    if (mute.delete(one.letter.ceId)) return 'addressless';
    return told.delete(one.letter.ceId) ? 'queued' : 'duplicate';
  }
}

const NOTICES = noticesByTopic();

/** One statement a table, however many letters. A fault of the data cannot be: ids are text that can be stored. */
async function addressesOf(db: Queryable, letters: readonly Letter[]): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  const sources = new Map(letters.map(({ recipient }) => [`${recipient.table}.${recipient.addressColumn}`, recipient]));
  for (const { table, addressColumn } of sources.values()) {
    const ids = letters.filter(({ recipient }) => recipient.table === table).map(({ recipient }) => recipient.id);
    const { rows } = await db.query<{ id: string; address: string | null }>(
      `SELECT id, ${addressColumn} AS address FROM ${table} WHERE id = ANY($1::text[])`, [[...new Set(ids)]]);
    for (const { id, address } of rows) if (address) found.set(`${table}.${addressColumn}/${id}`, address);
  }
  return found;
}

function addressKey({ recipient: { table, addressColumn, id } }: Letter): string {
  return `${table}.${addressColumn}/${id}`;
}

function firstOfEach(letters: readonly Letter[]): Letter[] {
  return [...new Map(letters.map((letter) => [letter.ceId, letter])).values()];
}

/** The topics that are read, by their names in the contracts. */
export function noticedTopics(): string[] {
  return [...NOTICES.keys()];
}
