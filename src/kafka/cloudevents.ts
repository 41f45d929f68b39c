import { sourceOf } from '../facts/identity';
import type { OutgoingRecord } from './port';

/**
 * CloudEvents 1.0, Kafka protocol binding, binary mode: the attributes are headers, the value is the data.
 * https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/kafka-protocol-binding.md
 */
export interface Envelope {
  readonly ceId: string;
  readonly type: string;
  readonly domain: string;
  readonly aggregateId: string;
  /** ISO 8601 UTC. */
  readonly at: string;
  /** The aggregate's version; commands have none. */
  readonly version?: number;
  readonly correlationId: string;
  readonly causationId: string;
  readonly traceparent?: string | null;
  /** What a first fact's story must know beside its data. */
  readonly context?: object;
}

/** Header of a fact's context, a JSON document. */
export const CONTEXT_HEADER = 'fazenda_context';

/** The headers of our own records; the same envelope gives the same headers, byte for byte. */
export function headersOf(envelope: Envelope, contentType: string): Record<string, string> {
  const { ceId, type, domain, aggregateId, at, version, correlationId, causationId, traceparent, context } = envelope;
  return {
    ce_specversion: '1.0',
    ce_id: ceId,
    ce_type: type,
    ce_source: sourceOf(domain),
    ce_subject: aggregateId,
    ce_time: at,
    'content-type': contentType,
    ...(version !== undefined && { ce_sequence: String(version) }),
    correlation_id: correlationId,
    causation_id: causationId,
    ...(traceparent && { traceparent }),
    ...(context && { [CONTEXT_HEADER]: JSON.stringify(context) }),
  };
}

export function recordOf(topic: string, key: string, envelope: Envelope, value: Buffer, contentType: string): OutgoingRecord {
  return { topic, key, value, headers: headersOf(envelope, contentType) };
}
