import { domains } from '../../workflows/domains';
import type { Domain, StartDoor } from '../../workflows/kernel/definition';
import type { Fact } from '../../workflows/kernel/fact';
import { FazendaError } from '../errors';
import { factId, isOurs, sourceOf } from '../facts/identity';
import { sortRecord } from '../ingress/sort';
import { CONTEXT_HEADER } from '../kafka/cloudevents';
import type { Codec } from '../kafka/codec';
import type { IncomingRecord } from '../kafka/port';

/** Where a record lies; the topic by its name in the contracts. */
export interface Place {
  readonly topic: string;
  readonly partition: number;
  readonly offset: bigint;
}

/** A fact as a record tells it, to somebody who has nothing but the record. */
export interface ToldFact {
  readonly domain: Domain;
  readonly id: string;
  readonly fact: Fact;
  readonly ceId: string;
  readonly place: Place;
  /** Time of the record, ms since 1970. */
  readonly appendedAt: number;
}

/** Whose facts a topic carries, and the doors by which somebody else's record on it becomes a first fact. */
interface Carried {
  readonly domains: readonly Domain[];
  readonly doors: readonly { readonly domain: Domain; readonly door: StartDoor }[];
}

const carried = new Map<string, Carried>(
  [...new Set(domains.flatMap(({ topics }) => Object.values(topics)))].map((topic) => [topic, {
    domains: domains.filter(({ topics }) => Object.values(topics).includes(topic)),
    doors: domains.flatMap((domain) =>
      domain.doors.flatMap((door) => (door.kind === 'start' && door.topic === topic ? [{ domain, door }] : []))),
  }]),
);

/** The topics that carry facts of these domains, without the installation's prefix. */
export function topicsOf(some: readonly Domain[] = domains): string[] {
  return [...new Set(some.flatMap(({ topics }) => Object.values(topics)))];
}

/** Those of them to which somebody else may write first facts, keyed as he likes. */
export function openTopicsOf(some: readonly Domain[] = domains): string[] {
  return topicsOf(some).filter((topic) => carried.get(topic)?.doors.some(({ domain }) => some.includes(domain)));
}

/**
 * The fact that a record tells, read as the doors read it; undefined where it tells none: a command, a stranger's
 * record that no door takes, a forgery, or what cannot be decoded. All of these are the record's own.
 * @param codec has learnt what the record needs
 */
export function toldFactOf(record: IncomingRecord, codec: Codec): ToldFact | undefined {
  const topic = carried.get(record.topic);
  if (!topic) return undefined;
  const told = isOurs(record.headers.ce_source) ? ownFact(topic, record, codec) : strangersFact(topic, record, codec);
  if (!told) return undefined;
  const { domain, id, fact } = told;
  const place = { topic: record.topic, partition: record.partition, offset: BigInt(record.offset) };
  return { domain, id, fact, ceId: factId(domain.name, id, fact.version), place, appendedAt: record.timestamp };
}

type Read = Pick<ToldFact, 'domain' | 'id' | 'fact'>;

function ownFact({ domains: tellers, doors }: Carried, record: IncomingRecord, codec: Codec): Read | undefined {
  const { ce_source: source, ce_subject: id = '', ce_type: type = '', ce_id: ceId, ce_sequence: sequence = '', ce_time: at = '' } = record.headers;
  const domain = tellers.find(({ name }) => sourceOf(name) === source);
  if (!domain || domain.topics[type] !== record.topic || !/^[1-9]\d{0,8}$/.test(sequence)) return undefined;
  const version = Number(sequence);
  if (ceId !== factId(domain.name, id, version)) return undefined;
  // What the api wrote is taken in by the same door as anybody's, which decides what the fact says.
  const door = doors.find((one) => one.domain === domain && !one.door.foreignOnly);
  if (version === 1 && door) return firstFact(door, record, codec, id);
  const data = objectOf(record, codec);
  const context = contextOf(record);
  if (!data || context === 'broken' || Number.isNaN(Date.parse(at))) return undefined;
  return { domain, id, fact: { type, version, at, data, ...(context && { context }) } };
}

function strangersFact({ doors }: Carried, record: IncomingRecord, codec: Codec): Read | undefined {
  for (const door of doors) {
    const told = firstFact(door, record, codec);
    if (told) return told;
  }
  return undefined;
}

function firstFact({ domain, door }: Carried['doors'][number], record: IncomingRecord, codec: Codec, expected?: string): Read | undefined {
  const sorted = sortRecord(domain, door, record, codec);
  if (sorted.kind !== 'start' || !sorted.origin.published) return undefined;
  if (expected !== undefined && sorted.id !== expected) return undefined;
  return { domain, id: sorted.id, fact: sorted.fact };
}

function objectOf({ topic, value }: IncomingRecord, codec: Codec): object | undefined {
  try {
    const decoded = codec.decode(topic, value);
    return typeof decoded === 'object' && decoded !== null ? decoded : undefined;
  } catch (thrown) {
    // A value that no waiting mends is the record's own fault; anything else is nobody's here.
    if (thrown instanceof FazendaError && !thrown.kind.retryable) return undefined;
    throw thrown;
  }
}

function contextOf({ headers }: IncomingRecord): object | 'broken' | undefined {
  const text = headers[CONTEXT_HEADER];
  if (text === undefined) return undefined;
  try {
    const context: unknown = JSON.parse(text);
    return typeof context === 'object' && context !== null ? context : 'broken';
  } catch (thrown) {
    if (thrown instanceof SyntaxError) return 'broken';
    throw thrown;
  }
}
