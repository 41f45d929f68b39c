import { domains } from '../../workflows/domains';
import type { Domain, Door } from '../../workflows/kernel/definition';
import type { Config } from '../config';
import { FazendaError, textOf } from '../errors';
import { factId, isOurs, sourceOf } from '../facts/identity';
import { placeOf, sortRecord, type Sorted } from '../ingress/sort';
import { CONTEXT_HEADER } from '../kafka/cloudevents';
import { MAGIC_BYTE, type Codec } from '../kafka/codec';
import type { IncomingRecord } from '../kafka/port';
import type { Logger } from '../log';
import { readTopics } from '../replay/read-topics';
import { SOURCES, type Source } from '../audit/sources';

/** A fact as its record tells it, with every column that its row had. */
export interface GatheredFact {
  readonly version: number;
  readonly ceId: string;
  readonly type: string;
  readonly topic: string;
  /** JSON text, as it was published. */
  readonly payload: string;
  readonly context: object | null;
  readonly at: string;
  readonly correlationId: string;
  readonly causationId: string;
  readonly traceparent: string | null;
  readonly origin: string | null;
  /** Null where it was never on its topic: a first fact whose request is known, and no more. */
  readonly publishedAt: string | null;
}

/** What the topics know of one aggregate. */
export interface Gathered {
  readonly source: Source;
  readonly id: string;
  readonly facts: Map<number, GatheredFact>;
}

/** Mail as its door read it. */
export interface GatheredMail {
  readonly domain: Domain;
  readonly id: string;
  readonly mailId: string;
  readonly type: string;
  readonly data: object;
  readonly at: string;
}

export interface Gathering {
  readonly aggregates: ReadonlyMap<string, Gathered>;
  readonly mail: readonly GatheredMail[];
  /** Versions that two records tell differently, `topic/partition/offset` of the later one; the first one counts. */
  readonly contradictions: readonly string[];
  /** Records that say they are facts of ours and cannot be read, `topic/partition/offset: why`. */
  readonly unreadable: readonly string[];
}

/**
 * Reads everything that the topics know of some aggregates: their facts, and the requests and mail that came by the
 * doors. A request for which there is no first fact becomes one, as it became one when it was taken in: same id,
 * same words. It is what a database that was lost has to be made of again.
 * @throws FazendaError FZ_KAFKA_AWAY, FZ_SCHEMA_REGISTRY_AWAY
 */
export async function gather(config: Config, log: Logger, codec: Codec, wanted: (aggregate: string, id: string) => boolean): Promise<Gathering> {
  const aggregates = new Map<string, Gathered>();
  const requested = new Map<string, { source: Source; id: string; fact: GatheredFact }>();
  const mail: GatheredMail[] = [];
  const contradictions: string[] = [];
  const unreadable: string[] = [];

  function hearFact(source: Source, id: string, fact: GatheredFact, place: string): void {
    const key = `${source.name}/${id}`;
    const known = aggregates.get(key) ?? { source, id, facts: new Map<number, GatheredFact>() };
    aggregates.set(key, known);
    const before = known.facts.get(fact.version);
    if (!before) known.facts.set(fact.version, fact);
    else if (before.payload !== fact.payload || before.type !== fact.type) contradictions.push(place);
  }

  function hearDoor(domain: Domain, door: Door, record: IncomingRecord): void {
    const sorted = sortRecord(domain, door, record, codec);
    if (sorted.kind === 'filtered' || sorted.kind === 'dead' || !wanted(domain.name, sorted.id)) return;
    if (sorted.kind === 'mail') {
      const { id, mail: { id: mailId, type, data } } = sorted;
      return void mail.push({ domain, id, mailId, type, data, at: new Date(record.timestamp).toISOString() });
    }
    const source = SOURCES.find((one) => one.domain === domain);
    const key = `${domain.name}/${sorted.id}`;
    // The first request counts: whatever came later under the same id was a duplicate.
    if (source && !requested.has(key)) requested.set(key, { source, id: sorted.id, fact: firstFact(domain, sorted, record) });
  }

  const topics = new Set([...SOURCES.flatMap((source) => Object.values(source.topics)), ...domains.flatMap(({ doors }) => doors.map(({ topic }) => topic))]);
  for await (const records of readTopics(config, log, [...topics])) {
    await codec.learn(records);
    for (const record of records) {
      const door = doorOf(record);
      if (door) hearDoor(door.domain, door.door, record);
      else {
        const told = ownFact(record, codec, (why) => unreadable.push(`${placeOf(record)}: ${why}`));
        if (told && wanted(told.source.name, told.id)) hearFact(told.source, told.id, told.fact, placeOf(record));
      }
    }
  }
  for (const [key, { source, id, fact }] of requested) {
    if (aggregates.get(key)?.facts.has(1)) continue;
    hearFact(source, id, fact, '');
  }
  return { aggregates, mail, contradictions, unreadable };
}

/** The door that reads this record; what it filters as our own is a fact and no request. */
function doorOf({ topic, headers }: IncomingRecord): { domain: Domain; door: Door } | undefined {
  for (const domain of domains) {
    for (const door of domain.doors) if (door.topic === topic && !(door.foreignOnly && isOurs(headers.ce_source))) return { domain, door };
  }
  return undefined;
}

function firstFact(domain: Domain, { id, fact, origin }: Extract<Sorted, { kind: 'start' }>, record: IncomingRecord): GatheredFact {
  return {
    version: 1, ceId: factId(domain.name, id, 1), type: fact.type, topic: domain.topics[fact.type] ?? '', payload: JSON.stringify(fact.data), context: fact.context ?? null,
    at: fact.at, correlationId: origin.correlationId, causationId: origin.place, traceparent: origin.traceparent ?? null,
    origin: origin.published ? origin.place : null, publishedAt: origin.published ? new Date(record.timestamp).toISOString() : null,
  };
}

/** A fact that we put on its topic; undefined where it only says so, or cannot be read. */
function ownFact(record: IncomingRecord, codec: Codec, unreadable: (why: string) => void): { source: Source; id: string; fact: GatheredFact } | undefined {
  const { headers, topic, value } = record;
  const { ce_source: from, ce_subject: id = '', ce_type: type = '', ce_id: ceId = '', ce_sequence: sequence = '', ce_time: at = '' } = headers;
  const source = SOURCES.find(({ name }) => sourceOf(name) === from);
  const version = Number(sequence);
  if (!source || source.topics[type] !== topic || !Number.isInteger(version) || ceId !== factId(source.name, id, version)) return undefined;
  try {
    const data = codec.decode(topic, value);
    const payload = value !== null && value[0] !== MAGIC_BYTE ? value.toString('utf8') : JSON.stringify(data);
    const context = headers[CONTEXT_HEADER] === undefined ? null : (JSON.parse(headers[CONTEXT_HEADER]) as object);
    const { correlation_id: correlationId = id, causation_id: causationId = id, traceparent = null } = headers;
    return {
      source, id,
      fact: { version, ceId, type, topic, payload, context, at, correlationId, causationId, traceparent, origin: null, publishedAt: new Date(record.timestamp).toISOString() },
    };
  } catch (thrown) {
    // Its id is that of a fact of ours: where it cannot be read, its schema may be lost, and it has to be named.
    if (!(thrown instanceof SyntaxError || (thrown instanceof FazendaError && !thrown.kind.retryable))) throw thrown;
    unreadable(textOf(thrown));
    return undefined;
  }
}
