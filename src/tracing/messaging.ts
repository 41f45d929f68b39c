import type { Attributes } from './tracing';

/** https://opentelemetry.io/docs/specs/semconv/messaging/kafka/ */
export function kafkaAttributes(operation: 'process' | 'send', topic: string): Attributes {
  return { 'messaging.system': 'kafka', 'messaging.operation.type': operation, 'messaging.operation.name': operation, 'messaging.destination.name': topic };
}

/** What one record or fact is about, in our own words. */
export function storyAttributes({ domain, id, version, type }: { domain?: string | undefined; id?: string | undefined; version?: number | undefined; type?: string | undefined }): Attributes {
  return { 'fazenda.domain': domain, 'fazenda.aggregate.id': id, 'fazenda.version': version, 'fazenda.fact': type };
}
