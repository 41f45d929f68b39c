import { createHash } from 'node:crypto';
import { placeOf } from '../ingress/sort';
import { DEAD_LETTER_HEADERS } from '../ingress/deadletters';
import { originalTopic } from '../kafka/client';
import type { IncomingRecord, OutgoingRecord } from '../kafka/port';

/** Name and value of a header; one that comes twice is there twice. */
export type HeaderPair = readonly [name: string, value: Buffer | null];

/** A dead letter as its topic tells it. */
export interface Letter {
  /** `topic/partition/offset` of the record that died. */
  readonly id: string;
  readonly topic: string;
  readonly partition: number;
  readonly offset: string;
  /** The consumer group that could not take it; null where the letter does not say. */
  readonly group: string | null;
  readonly code: string;
  readonly reason: string;
  /** ISO 8601 UTC. */
  readonly diedAt: string;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  /** The original's. */
  readonly headers: readonly HeaderPair[];
  /** The letter whose redrive this record was. */
  readonly redrivenFrom: string | null;
  /** Where the letter itself lies. */
  readonly letterPartition: number;
  readonly letterOffset: string;
}

/** The header of a record that was put back: the id of its dead letter. */
export const REDRIVEN_FROM = 'redriven_from';
/** Said of a letter that does not say why it died: somebody else wrote it. */
export const UNKNOWN_CODE = 'UNKNOWN';
/** The digest of a value that is null, which is not the one of an empty value. */
const DIGEST_OF_NULL = 'null';

/**
 * Total: whatever lies in a dead-letter topic is a letter, and one that does not say where it came from is
 * known by where it lies. The topic that it goes back to is that of its dead-letter topic, never one that a header names.
 */
export function letterOf(record: IncomingRecord): Letter {
  const { headers, key, value, timestamp } = record;
  const topic = originalTopic(record.topic);
  const own = headers.dlq_topic === topic && PARTITION.test(headers.dlq_partition ?? '') && OFFSET.test(headers.dlq_offset ?? '');
  const place = own
    ? { topic, partition: Number(headers.dlq_partition), offset: String(BigInt(headers.dlq_offset ?? '')) }
    : { topic: record.topic, partition: record.partition, offset: record.offset };
  return {
    id: placeOf(place), topic, partition: place.partition, offset: place.offset,
    group: headers.dlq_group ? storable(headers.dlq_group) : null,
    code: storable(headers.dlq_error_code || UNKNOWN_CODE),
    reason: storable(headers.dlq_reason ?? ''),
    diedAt: instantOf(headers.dlq_at, timestamp),
    key, value,
    headers: pairsOf(record.rawHeaders).filter(([name]) => !DEAD_LETTER_HEADERS.has(name)),
    redrivenFrom: headers[REDRIVEN_FROM] ? storable(headers[REDRIVEN_FROM]) : null,
    letterPartition: record.partition, letterOffset: record.offset,
  };
}

/** The record as it was, back on its topic and in its partition, with the letter that it comes from. */
export function recordOfLetter({ id, topic, partition, key, headers }: Letter, value: Buffer | null): OutgoingRecord {
  const held = new Map<string, (Buffer | null)[]>();
  for (const [name, one] of headers) if (name !== REDRIVEN_FROM) held.set(name, [...(held.get(name) ?? []), one]);
  // A header without a value is one for the protocol, and not for the types of the client.
  const original = Object.fromEntries([...held].map(([name, values]) => [name, values.length === 1 ? values[0] : values])) as OutgoingRecord['headers'];
  return { topic, partition, key, value, headers: { ...original, [REDRIVEN_FROM]: id } };
}

/** The same record as a door would read it, for a dry run. */
export function arrivalOf(letter: Letter, value: Buffer | null): IncomingRecord {
  const { topic, headers: rawHeaders } = recordOfLetter(letter, value);
  const headers = Object.fromEntries(pairsOf(rawHeaders).flatMap(([name, held]) => (held === null ? [] : [[name, held.toString('utf8')]])));
  return { topic, partition: letter.partition, offset: '0', key: letter.key, value, headers, rawHeaders, timestamp: Date.now() };
}

/** SHA-256 in hex; two values have the same exactly when they have the same bytes. */
export function digestOf(value: Buffer | null): string {
  return value === null ? DIGEST_OF_NULL : createHash('sha256').update(value).digest('hex');
}

const PARTITION = /^\d{1,9}$/;
const OFFSET = /^\d{1,18}$/;

function pairsOf(headers: IncomingRecord['rawHeaders']): HeaderPair[] {
  return Object.entries(headers).flatMap(([name, held]) =>
    (held instanceof Array ? held : [held]).map((one): HeaderPair => [name, typeof one === 'string' ? Buffer.from(one, 'utf8') : one]),
  );
}

/** Text that a column can hold: what somebody else wrote into a header may be anything. */
function storable(text: string): string {
  return text.replaceAll('\u0000', '\ufffd');
}

/** `Date.parse` takes years that PostgreSQL does not; a letter from beyond is as old as its record. */
function instantOf(text: string | undefined, otherwise: number): string {
  const at = Date.parse(text ?? '');
  return new Date(at >= 0 && at < INSTANT_MS_MAX ? at : otherwise).toISOString();
}

/** The end of the year 9999. */
const INSTANT_MS_MAX = 253_402_300_800_000;
