import type { Config } from '../config';
import { FazendaError } from '../errors';
import type { Queryable } from '../facts/postgres';
import { openAvroReader } from '../schemas/reader';
import type { IncomingRecord } from './port';

/**
 * The one place that turns record values into data. JSON, or Avro in the Confluent wire format, told apart by the
 * first byte, whatever a topic is meant to be written in. How values are written is `src/schemas/wire.ts`.
 */

export const JSON_CONTENT_TYPE = 'application/json';
export const AVRO_CONTENT_TYPE = 'application/avro';

/** First byte of the Confluent wire format; no JSON text begins with it. */
export const MAGIC_BYTE = 0;

/** Largest value that is taken in, bytes; a larger one goes to its dead-letter topic. */
export const VALUE_BYTES_MAX = 1_048_576;

export type Readable = Pick<IncomingRecord, 'topic' | 'value'>;

/** Reads values. Topics are by their names in the contracts. */
export interface Codec {
  /**
   * Looks up what `decode` needs to read these records.
   * @throws FazendaError FZ_SCHEMA_REGISTRY_AWAY, and what PostgreSQL says: faults of no record, by which all wait
   */
  learn(records: readonly Readable[]): Promise<void>;
  /**
   * @throws FazendaError FZ_RECORD_EMPTY, FZ_RECORD_TOO_LARGE or FZ_RECORD_UNDECODABLE: faults of the
   *   record itself, which no waiting mends.
   */
  decode(topic: string, value: Buffer | null): unknown;
  /** Both in one, for whoever reads one by one. */
  read(topic: string, value: Buffer | null): Promise<unknown>;
}

/** The schema's id where the value is in the Confluent wire format, however short it was cut. */
export function schemaIdOf(value: Buffer | null): number | undefined {
  return value !== null && value[0] === MAGIC_BYTE && value.length >= 5 ? value.readUInt32BE(1) : undefined;
}

/** @param db keeps the schemas that we wrote by, so that our own records are read while the registry is away */
export function openCodec(config: Config, db: Queryable): Codec {
  return codecOf(openAvroReader(config, db));
}

/** A schema by its id, on a topic that somebody used it on. */
export interface SchemaUse {
  readonly topic: string;
  readonly id: number;
}

/** What reads the Avro in it; `openAvroReader` has the real one. */
export interface AvroReader {
  learn(wanted: readonly SchemaUse[]): Promise<void>;
  read(topic: string, id: number, value: Buffer): unknown;
}

function codecOf(avro: AvroReader): Codec {
  async function learn(records: readonly Readable[]): Promise<void> {
    const uses = new Map<string, SchemaUse>();
    for (const { topic, value } of records) {
      const id = schemaIdOf(value);
      if (id !== undefined) uses.set(`${id} ${topic}`, { topic, id });
    }
    if (uses.size > 0) await avro.learn([...uses.values()]);
  }

  function decode(topic: string, value: Buffer | null): unknown {
    if (value === null || value.length === 0) throw new FazendaError('FZ_RECORD_EMPTY', 'the value is null or empty');
    if (value.length > VALUE_BYTES_MAX) throw new FazendaError('FZ_RECORD_TOO_LARGE', `the value has ${value.length} bytes`);
    if (value[0] !== MAGIC_BYTE) return parseJson(value);
    const id = schemaIdOf(value);
    if (id === undefined) throw new FazendaError('FZ_RECORD_UNDECODABLE', 'the value ends within the id of its schema');
    return avro.read(topic, id, value);
  }

  return {
    learn,
    decode,
    async read(topic, value) {
      await learn([{ topic, value }]);
      return decode(topic, value);
    },
  };
}

const utf8 = new TextDecoder('utf-8', { fatal: true });

function parseJson(value: Buffer): unknown {
  try {
    return JSON.parse(utf8.decode(value)) as unknown;
  } catch (cause) {
    throw new FazendaError('FZ_RECORD_UNDECODABLE', 'the value is no UTF-8 JSON document', {}, cause);
  }
}

/** Reads JSON alone; for tests that never meet anything else. */
export const JSON_CODEC: Codec = codecOf({
  learn: () => Promise.resolve(),
  read: () => {
    throw new FazendaError('FZ_RECORD_UNDECODABLE', 'the value is in the Confluent wire format, and nothing is set up to read it');
  },
});
