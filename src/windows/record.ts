import { windowId } from '../facts/identity';
import { JSON_CONTENT_TYPE } from '../kafka/codec';
import type { OutgoingRecord } from '../kafka/port';
import { WINDOWS_SOURCE } from './contract';
import type { Result } from './results';
import { windowStreams } from './streams';

const typeOf = new Map(windowStreams().map(({ topic, type }) => [topic, type]));

/**
 * The record of a result; the same result gives the same record, every time. It is no fact of an aggregate: no sequence,
 * nobody asked for it, nothing caused it but time.
 */
export function recordOfResult({ window: { stream, start, revision }, text, toldAt }: Result): OutgoingRecord {
  return {
    topic: stream,
    key: start,
    value: Buffer.from(text, 'utf8'),
    headers: {
      ce_specversion: '1.0',
      ce_id: windowId(stream, start, revision),
      ce_type: typeOf.get(stream) ?? stream,
      ce_source: WINDOWS_SOURCE,
      ce_subject: start,
      ce_time: toldAt,
      'content-type': JSON_CONTENT_TYPE,
    },
  };
}
