import type { Type } from 'avsc';
import type { Config } from '../config';
import { FazendaError, textOf } from '../errors';
import type { Queryable } from '../facts/postgres';
import type { AvroReader, SchemaUse } from '../kafka/codec';
import { checkBounds } from './bounds';
import { openRegistry } from './registry';
import { resolverOf, type Resolver } from './resolve';
import { subjects, typeOf, type Subject } from './subjects';

/** Ids that somebody made up must not fill the memory. */
const USES_MAX = 10_000;
/** A registry that does not know an id is asked again after this long, ms: it may have been behind its own writer. */
const ASK_AGAIN_MS = 10_000;
/** Questions to the registry at a time. */
const AT_ONCE = 8;
const PREFIX_BYTES = 5;

/** What is known of an id: its schema, or that nobody knows it. */
type Known = { readonly type: Type } | { readonly why: string; readonly until: number };

type Read = (value: Buffer) => unknown;

/**
 * Reads by the schema that the id in the value names, resolved to the schema of the topic: whatever Avro's rules
 * make one of the other is read. What we wrote by is asked of our own database first.
 */
export function openAvroReader(config: Config, db: Queryable): AvroReader {
  const registry = config.SCHEMA_REGISTRY_URL && openRegistry(config.SCHEMA_REGISTRY_URL);
  const known = new Map<string, Known>();
  const readers = new Map<string, Read>();
  let topics: Map<string, Subject> | undefined;

  async function learn(wanted: readonly SchemaUse[]): Promise<void> {
    const asked = wanted.filter((use) => !isFresh(known.get(keyOf(use))));
    if (asked.length === 0) return;
    if (known.size > USES_MAX) forget();
    const { rows } = await db.query<SchemaUse & { schema: string }>(
      'SELECT topic, id, schema FROM avro_schemas WHERE id = ANY($1)', [asked.map(({ id }) => id).filter(isInt)]);
    const kept = new Map(rows.map((row) => [keyOf(row), row.schema]));
    for (let from = 0; from < asked.length; from += AT_ONCE) {
      await Promise.all(asked.slice(from, from + AT_ONCE).map(async (use) => void known.set(keyOf(use), await ask(use.id, kept.get(keyOf(use))))));
    }
  }

  async function ask(id: number, kept: string | undefined): Promise<Known> {
    if (kept === undefined && !registry) return unknown('there is no schema registry');
    const text = kept ?? (await registry?.schemaById(id));
    if (text === undefined) return unknown('the schema registry has no Avro schema of this id');
    try {
      return { type: typeOf(text) };
    } catch (thrown) {
      return unknown(`its schema cannot be read: ${textOf(thrown)}`);
    }
  }

  function forget(): void {
    known.clear();
    readers.clear();
  }

  function readerOf(topic: string, id: number): Read {
    const key = keyOf({ topic, id });
    const made = readers.get(key);
    if (made) return made;
    const writer = known.get(key);
    // Not this record's fault: whoever reads has not asked, or it was forgotten in between.
    if (!writer) throw new Error(`schema ${id} was not looked up before it was needed`);
    if (!('type' in writer)) throw undecodable(id, writer.why);
    topics ??= subjects();
    const read = makeReader(topics.get(topic), id, writer.type);
    readers.set(key, read);
    return read;
  }

  return {
    learn,
    read: (topic, id, value) => readerOf(topic, id)(value),
  };
}

/** A topic without a contract of ours is read as it was written. */
function makeReader(subject: Subject | undefined, id: number, writer: Type): Read {
  let resolver: Resolver | undefined;
  let refused: string | undefined;
  try {
    resolver = subject && resolverOf(subject.type, writer);
  } catch (thrown) {
    refused = textOf(thrown);
  }
  const reader = subject?.type ?? writer;
  return (value) => {
    if (refused !== undefined) throw undecodable(id, `it is nothing that ${subject?.topic} carries: ${refused}`);
    try {
      checkBounds(writer, value, PREFIX_BYTES);
      const read: unknown = reader.fromBuffer(value.subarray(PREFIX_BYTES), resolver);
      return subject ? subject.fromAvro(read) : read;
    } catch (thrown) {
      throw undecodable(id, textOf(thrown));
    }
  };
}

function isFresh(known: Known | undefined): boolean {
  return known !== undefined && ('type' in known || known.until > Date.now());
}

function keyOf({ topic, id }: SchemaUse): string {
  return `${id} ${topic}`;
}

/** PostgreSQL's integer, which ids are kept in. */
function isInt(id: number): boolean {
  return id < 2 ** 31;
}

function unknown(why: string): Known {
  return { why, until: Date.now() + ASK_AGAIN_MS };
}

function undecodable(id: number, why: string): FazendaError {
  return new FazendaError('FZ_RECORD_UNDECODABLE', `Avro by schema ${id}: ${why}`);
}
