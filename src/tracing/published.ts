import type { StoredFact } from '../facts/read';
import { inBatch } from './batch';
import { kafkaAttributes, storyAttributes } from './messaging';
import { parseTraceparent } from './trace-context';
import { tracing } from './tracing';

/** Sends facts: a span from the hand-over to the acknowledgement in the trace of each, and one for the request. */
export function inWave(wave: readonly StoredFact[], send: () => Promise<void>): Promise<void> {
  const recording = tracing();
  if (!recording) return send();
  const members = wave.map((fact) => ({
    span: {
      name: `send ${fact.topic}`, kind: 'producer' as const, parent: parseTraceparent(fact.traceparent),
      attributes: {
        ...kafkaAttributes('send', fact.topic), ...storyAttributes(fact),
        'messaging.kafka.message.key': fact.id, 'messaging.message.id': fact.ceId, 'fazenda.correlation_id': fact.correlationId,
      },
    },
  }));
  const whole = { name: 'send batch', kind: 'producer' as const, attributes: { 'messaging.system': 'kafka', 'messaging.operation.type': 'send', 'messaging.batch.message_count': wave.length } };
  return inBatch(recording, whole, members, send);
}
