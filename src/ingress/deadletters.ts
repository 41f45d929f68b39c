import { ERROR_CATALOGUE, type FazendaError } from '../errors';
import type { IncomingRecord, OutgoingRecord } from '../kafka/port';
import { deadLetterTopic } from '../kafka/client';

/**
 * A record that can never be taken, as it came: same bytes, key and headers, and beside them why, where
 * and when. `dlq_*` headers of an earlier death are replaced; everything else is left alone.
 */
export function deadLetterOf(record: IncomingRecord, error: FazendaError, group: string, now: Date): OutgoingRecord {
  return {
    topic: deadLetterTopic(record.topic),
    key: record.key,
    value: record.value,
    headers: {
      ...record.rawHeaders,
      dlq_reason: `${error.message} ${ERROR_CATALOGUE[error.code].next}`.slice(0, REASON_MAX),
      dlq_error_code: error.code,
      dlq_topic: record.topic,
      dlq_partition: String(record.partition),
      dlq_offset: record.offset,
      dlq_group: group,
      dlq_at: now.toISOString(),
    },
  };
}

/** Characters of a reason; a schema can find very much wrong with a record. */
const REASON_MAX = 2_000;

/** What a death adds to a record. */
export const DEAD_LETTER_HEADERS: ReadonlySet<string> = new Set([
  'dlq_reason', 'dlq_error_code', 'dlq_topic', 'dlq_partition', 'dlq_offset', 'dlq_group', 'dlq_at',
]);
