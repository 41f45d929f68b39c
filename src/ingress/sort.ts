import type { z } from 'zod';
import type { Domain, Door } from '../../workflows/kernel/definition';
import type { Fact, Mail } from '../../workflows/kernel/fact';
import { FazendaError } from '../errors';
import { commandId, isOurs } from '../facts/identity';
import type { Codec } from '../kafka/codec';
import type { IncomingRecord } from '../kafka/port';
import { depthOf, DEPTH_MAX, textFault } from '../text';

/** What a record turned out to be, before anything was done about it. */
export type Sorted =
  | { readonly kind: 'start'; readonly record: IncomingRecord; readonly id: string; readonly fact: Fact; readonly origin: Origin }
  | { readonly kind: 'mail'; readonly record: IncomingRecord; readonly id: string; readonly mail: Mail }
  | { readonly kind: 'filtered'; readonly record: IncomingRecord }
  | { readonly kind: 'dead'; readonly record: IncomingRecord; readonly error: FazendaError };

/** Where a story came from, which its first fact remembers. */
export interface Origin {
  readonly place: string;
  readonly correlationId: string;
  readonly traceparent: string | undefined;
  /** True where the record is the fact itself, on its own topic, and must not be written there again. */
  readonly published: boolean;
}

/** `topic/partition/offset`: a record's place, and the id of its dead letter. */
export function placeOf({ topic, partition, offset }: Pick<IncomingRecord, 'topic' | 'partition' | 'offset'>): string {
  return `${topic}/${partition}/${offset}`;
}

/**
 * Says what a record is. Total: whatever is wrong with it is its own fault, and is said, not thrown.
 * @param codec has learnt what the record needs
 */
export function sortRecord(domain: Domain, door: Door, record: IncomingRecord, codec: Codec): Sorted {
  if (door.foreignOnly && isOurs(record.headers.ce_source)) return { kind: 'filtered', record };
  try {
    const message = parse(door, codec.decode(door.topic, record.value));
    const arrival = { message: message as never, headers: record.headers, sentAt: sentAt(record) };
    if (door.kind === 'mail') {
      const { id, type, data } = door.mail(arrival);
      return { kind: 'mail', record, id, mail: { id: headerId(record, 'ce_id') ?? commandId(domain.name, id, type), type, data } };
    }
    const { id, type, at, data, context, correlationId = id } = door.first(arrival);
    return { kind: 'start', record, id, fact: { type, version: 1, at, data, ...(context && { context }) }, origin: originOf(domain, door, record, correlationId, type) };
  } catch (thrown) {
    if (thrown instanceof FazendaError) return { kind: 'dead', record, error: thrown };
    throw thrown;
  }
}

/** The sender's own time where it is an instant, else the time of the record. */
function sentAt({ headers, timestamp }: Pick<IncomingRecord, 'headers' | 'timestamp'>): string {
  const given = Date.parse(headers.ce_time ?? '');
  return new Date(Number.isNaN(given) ? timestamp : given).toISOString();
}

function parse(door: Door, decoded: unknown): unknown {
  if (depthOf(decoded) > DEPTH_MAX) throw new FazendaError('FZ_BODY_TOO_DEEP', `nested deeper than ${DEPTH_MAX}`);
  const fault = textFault(decoded);
  if (fault) throw new FazendaError('FZ_TEXT_UNSTORABLE', `${fault.path || 'value'} ${fault.message}`);
  const parsed = door.schema.safeParse(decoded);
  if (!parsed.success) throw new FazendaError('FZ_SCHEMA_INVALID', describe(parsed.error));
  return parsed.data;
}

function describe(error: z.ZodError): string {
  return error.issues.slice(0, 10).map((issue) => `${issue.path.join('.') || 'value'}: ${issue.message}`).join('; ');
}

function originOf(domain: Domain, door: Door, record: IncomingRecord, ownId: string, type: string): Origin {
  return {
    place: placeOf(record),
    correlationId: headerId(record, 'correlation_id') ?? headerId(record, 'x-correlation-id') ?? ownId,
    traceparent: headerId(record, 'traceparent'),
    published: domain.topics[type] === door.topic,
  };
}

/** A header that may serve as an id: 1 to 255 storable characters. Anything else counts as not sent. */
function headerId(record: IncomingRecord, name: string): string | undefined {
  const value = record.headers[name];
  return value && value.length <= 255 && !textFault(value) ? value : undefined;
}
