import { CompressionTypes } from 'kafkajs';
import type { OutgoingRecord } from './port';

/** kafkajs makes one record batch a partition of each request, and a broker bounds a batch; so requests are cut. */
const REQUEST_BYTES_MAX = 1_048_576;
/** What a record and each of its headers have beside their contents: lengths and differences, 10 bytes each at most. */
const RECORD_OVERHEAD_BYTES = 64;
const HEADER_OVERHEAD_BYTES = 20;

/** Some records that go out in one request. */
export interface Part {
  readonly records: OutgoingRecord[];
  /** An upper bound of what they take. */
  bytes: number;
}

/**
 * A record over the limit is alone in its request. It can only be one that is put on as it came, and it may
 * have come packed: unpacked it could be more than any broker takes, and its partition would wait for ever.
 */
export function compressionOf({ bytes }: Part): CompressionTypes {
  return bytes > REQUEST_BYTES_MAX ? CompressionTypes.GZIP : CompressionTypes.None;
}

export function partOf(record: OutgoingRecord): Part {
  return { records: [record], bytes: bytesOf(record) };
}

/** Parts in the order of the records, none over the limit but that of a record which is over it by itself. */
export function cutByBytes(records: readonly OutgoingRecord[]): Part[] {
  const parts: Part[] = [];
  for (const record of records) {
    const bytes = bytesOf(record);
    const last = parts.at(-1);
    if (!last || last.bytes + bytes > REQUEST_BYTES_MAX) {
      parts.push({ records: [record], bytes });
    } else {
      last.records.push(record);
      last.bytes += bytes;
    }
  }
  return parts;
}

/** An upper bound, reckoned without encoding anything: a character of JavaScript is three bytes at most. */
function bytesOf({ key, value, headers }: OutgoingRecord): number {
  let bytes = RECORD_OVERHEAD_BYTES + boundOf(key) + boundOf(value);
  for (const name in headers) {
    const held = headers[name];
    bytes += HEADER_OVERHEAD_BYTES + boundOf(name);
    if (Array.isArray(held)) for (const one of held) bytes += HEADER_OVERHEAD_BYTES + boundOf(name) + boundOf(one);
    else bytes += boundOf(held as string | Buffer | null);
  }
  return bytes;
}

function boundOf(part: string | Buffer | null | undefined): number {
  if (typeof part === 'string') return part.length * 3;
  return part ? part.length : 0;
}
