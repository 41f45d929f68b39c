import type { Fact } from '../../workflows/kernel/fact';
import { entities, type Entity } from '../entities';
import { FazendaError } from '../errors';
import { factId, sourceOf } from '../facts/identity';
import type { Codec } from '../kafka/codec';
import type { IncomingRecord } from '../kafka/port';
import { toldFactOf, topicsOf } from '../replay/told-fact';
import { measuresOf, NO_MEASURES, type Measures } from './measures';

/** A row of `event_log`, as it is put in. */
export interface EventRow extends Measures {
  readonly ce_id: string;
  readonly aggregate: string;
  readonly aggregate_id: string;
  readonly version: number;
  readonly type: string;
  readonly topic: string;
  /** `2026-01-01 12:00:00.000`, UTC. */
  readonly time: string;
  /** JSON text, whatever the record was written in. */
  readonly payload: string;
  readonly rank: string;
  readonly partition: number;
  readonly record_offset: string;
}

/** Every topic that events are on, by its name in the contracts. */
export function eventTopics(): string[] {
  return [...new Set([...topicsOf(), ...entities.flatMap(({ topics }) => Object.values(topics))])];
}

/**
 * The event that a record tells, read as replay reads it: ours, or a partner's first fact as its door takes it.
 * Undefined where it tells none: a command, what no door takes, a forgery, what cannot be decoded. Those are the
 * record's own, and the door or the notifier puts them aside; here they are counted.
 * @param codec has learnt what the record needs
 */
export function eventOf(record: IncomingRecord, codec: Codec): EventRow | undefined {
  const told = toldFactOf(record, codec);
  if (!told) return entityEventOf(record, codec);
  const { domain, id, fact, ceId } = told;
  return { ...rowOf(record, domain.name, id, fact, ceId), ...measuresOf(domain, fact) };
}

/** A change of an entity; of these strangers tell nothing. */
function entityEventOf(record: IncomingRecord, codec: Codec): EventRow | undefined {
  const { ce_source: source, ce_subject: id = '', ce_type: type = '', ce_id: ceId, ce_sequence: sequence = '', ce_time: at = '' } = record.headers;
  const entity: Entity | undefined = entities.find(({ name }) => sourceOf(name) === source);
  if (!entity || entity.topics[type] !== record.topic || !/^[1-9]\d{0,8}$/.test(sequence) || Number.isNaN(Date.parse(at))) return undefined;
  const version = Number(sequence);
  if (ceId !== factId(entity.name, id, version)) return undefined;
  try {
    const data = codec.decode(record.topic, record.value);
    if (typeof data !== 'object' || data === null) return undefined;
    return { ...rowOf(record, entity.name, id, { type, version, at, data }, ceId), ...NO_MEASURES };
  } catch (thrown) {
    if (thrown instanceof FazendaError && !thrown.kind.retryable) return undefined; // The record's own.
    throw thrown;
  }
}

function rowOf({ topic, partition, offset, timestamp }: IncomingRecord, aggregate: string, id: string, { type, version, at, data }: Fact, ceId: string) {
  return {
    ce_id: ceId, aggregate, aggregate_id: id, version, type, topic, time: instantOf(at), payload: JSON.stringify(data),
    rank: rankOf(timestamp, offset), partition, record_offset: offset,
  };
}

/** What a DateTime64 holds; an instant of a partner beyond it is filed at its end. */
const EARLIEST = Date.UTC(1900, 0, 1);
const LATEST = Date.UTC(2299, 11, 31);

/** As ClickHouse reads instants, in UTC and to the millisecond. */
export function instantOf(at: string | number): string {
  const ms = Math.min(Math.max(new Date(at).getTime(), EARLIEST), LATEST);
  return new Date(ms).toISOString().replace('T', ' ').replace('Z', '');
}

const TIME_MAX = 2 ** 42;
const OFFSET_BITS = 20n;

/** The larger, the earlier on Kafka: by the record's time, and where that is the same, by the end of its offset. */
function rankOf(timestamp: number, offset: string): string {
  const ms = BigInt(Math.min(Math.max(Math.trunc(timestamp), 0), TIME_MAX));
  return String((1n << 63n) - ((ms << OFFSET_BITS) | (BigInt(offset) & ((1n << OFFSET_BITS) - 1n))));
}
