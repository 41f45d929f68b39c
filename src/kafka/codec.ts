import { FazendaError } from '../errors';

/**
 * The one place that turns record values into data and back. JSON today; Avro in the Confluent wire
 * format (told apart by its magic byte) is the event backbone's.
 */

export const JSON_CONTENT_TYPE = 'application/json';

/** First byte of the Confluent wire format; no JSON text begins with it. */
const MAGIC_BYTE = 0;

/** Largest value that is taken in, bytes; a larger one goes to its dead-letter topic. */
export const VALUE_BYTES_MAX = 1_048_576;

const utf8 = new TextDecoder('utf-8', { fatal: true });

/**
 * @throws FazendaError FZ_RECORD_EMPTY, FZ_RECORD_TOO_LARGE or FZ_RECORD_UNDECODABLE: faults of the
 *   record itself, which no waiting mends.
 */
export function decodeValue(value: Buffer | null): unknown {
  if (value === null || value.length === 0) throw new FazendaError('FZ_RECORD_EMPTY', 'the value is null or empty');
  if (value.length > VALUE_BYTES_MAX) throw new FazendaError('FZ_RECORD_TOO_LARGE', `the value has ${value.length} bytes`);
  if (value[0] === MAGIC_BYTE) {
    throw new FazendaError('FZ_RECORD_UNDECODABLE', 'the value is in the Confluent wire format, and no schema registry is set up');
  }
  try {
    return JSON.parse(utf8.decode(value)) as unknown;
  } catch (cause) {
    throw new FazendaError('FZ_RECORD_UNDECODABLE', 'the value is no UTF-8 JSON document', {}, cause);
  }
}

/** A fact's stored JSON text as a record value: the same text gives the same bytes, every time. */
export function encodeText(text: string): Buffer {
  return Buffer.from(text, 'utf8');
}
