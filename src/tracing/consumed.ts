import type { Chunk, IncomingRecord } from '../kafka/port';
import { inBatch, type Member } from './batch';
import { kafkaAttributes } from './messaging';
import { parseTraceparent } from './trace-context';
import { tracing as recorded, type Span, type Tracing } from './tracing';

/**
 * Takes some records of a partition in: a span in the trace of each that has one, and one for all.
 * @param begins says whether a record that came without a trace begins one
 * @param skips says of which records nothing is worth telling
 */
export function inChunk<Result>(
  tracing: Tracing, group: string, { topic, partition, records }: Pick<Chunk, 'topic' | 'partition' | 'records'>,
  { begins = never, skips = never }: { begins?: (at: number) => boolean; skips?: (at: number) => boolean },
  work: (spans: readonly (Span | undefined)[]) => Promise<Result>,
): Promise<Result> {
  const shared = { ...kafkaAttributes('process', topic), 'messaging.consumer.group.name': group, 'messaging.destination.partition.id': String(partition) };
  const members = records.map((record, at): Member => ({
    span: {
      name: `process ${topic}`, kind: 'consumer',
      parent: skips(at) ? undefined : parseTraceparent(record.headers.traceparent),
      attributes: { ...shared, ...ofRecord(record) },
    },
    begins: !skips(at) && begins(at),
  }));
  const whole = { name: `process ${topic} batch`, kind: 'consumer' as const, attributes: { ...shared, 'messaging.batch.message_count': records.length } };
  return inBatch(tracing, whole, members, work);
}

/** The same for whoever has nothing to say of single records, and plainly where nothing is recorded. */
export async function tracedChunk(group: string, chunk: Chunk, work: () => Promise<void>): Promise<void> {
  const recording = recorded();
  await (recording ? inChunk(recording, group, chunk, {}, work) : work());
}

function ofRecord({ offset, key, headers }: IncomingRecord) {
  return {
    'messaging.kafka.offset': Number(offset), 'messaging.kafka.message.key': key?.toString('utf8'),
    'messaging.message.id': headers.ce_id, 'fazenda.correlation_id': headers.correlation_id ?? headers['x-correlation-id'],
  };
}

function never(): boolean {
  return false;
}
