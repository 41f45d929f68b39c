import type { Queryable } from '../facts/postgres';
import { AVRO_CONTENT_TYPE, JSON_CONTENT_TYPE, MAGIC_BYTE } from '../kafka/codec';
import { unsayable } from '../metrics';
import { subjects, typeOf, type Subject } from './subjects';

/** A value as it goes on a topic. */
export interface Written {
  readonly value: Buffer;
  readonly contentType: string;
}

/** A document on its way to a topic. */
export interface Document {
  readonly topic: string;
  readonly type: string;
  readonly data: unknown;
}

/** How each topic is written, and from which fact on. `text` is the document where it goes as JSON. */
export interface WireFormats {
  /** A fact: as the topic was written when the fact was stored. The same fact gives the same bytes, every time. */
  ofFact(fact: Document & { readonly seq: string }, text: string): Written;
  /** What is no fact yet: as the topic is written now. */
  now(document: Document, text: string): Written;
}

interface Format {
  readonly fromSeq: number;
  /** Undefined is JSON. */
  readonly write: ((type: string, data: unknown) => Buffer) | undefined;
}

interface Row { topic: string; from_seq: string; id: number | null; schema: string | null }

/** Read after the facts that are to be written: whoever sees a fact then sees the format that it was stored under. */
export async function loadFormats(db: Queryable): Promise<WireFormats> {
  const { rows } = await db.query<Row>(
    `SELECT w.topic, w.from_seq, s.id, s.schema FROM wire_formats w
     LEFT JOIN avro_schemas s ON s.topic = w.topic AND s.id = w.schema_id ORDER BY w.topic, w.from_seq DESC`,
  );
  const byTopic = new Map<string, Format[]>();
  for (const { topic, from_seq: fromSeq, id, schema } of rows) {
    const write = id === null || schema === null ? undefined : writer(topic, id, schema);
    byTopic.set(topic, [...(byTopic.get(topic) ?? []), { fromSeq: Number(fromSeq), write }]);
  }
  return {
    ofFact: (fact, text) => write(byTopic.get(fact.topic)?.find(({ fromSeq }) => fromSeq < Number(fact.seq)), fact, text),
    now: (document, text) => write(byTopic.get(document.topic)?.[0], document, text),
  };
}

/**
 * SQL that tells the formats apart as they are at different times. Asked for in the statement that reads facts it is of
 * the same moment: whoever sees a fact sees the format that it was stored under, for none is stored while one is set.
 */
export const FORMATS_MARK = `(SELECT hashtextextended(string_agg(concat_ws(' ', topic, from_seq, schema_id), ',' ORDER BY topic, from_seq), 0)::text FROM wire_formats)`;

const marked = new WeakMap<Queryable, { mark: string | null; formats: WireFormats }>();

/** The formats of a mark, read only where it is another one than before. */
export async function formatsOf(db: Queryable, mark: string | null): Promise<WireFormats> {
  const known = marked.get(db);
  if (known?.mark === mark) return known.formats;
  const formats = await loadFormats(db);
  marked.set(db, { mark, formats });
  return formats;
}

/** Nothing was ever registered: all is JSON. */
export const JSON_FORMATS: WireFormats = {
  ofFact: (fact, text) => write(undefined, fact, text),
  now: (document, text) => write(undefined, document, text),
};

interface Cached {
  formats: WireFormats;
  /** When the next one to ask has them read anew. */
  until: number;
}

const cached = new WeakMap<Queryable, Cached>();
const CACHED_MS = 2_000;

/**
 * The formats as they were a moment ago, for what is kept as it was written or is no fact: they need not be the
 * newest, and nobody waits for a database that is away. Before any were read all is JSON, which is always right.
 */
export async function recentFormats(db: Queryable): Promise<WireFormats> {
  const known = cached.get(db);
  if (!known) return await refresh(db, { formats: JSON_FORMATS, until: 0 });
  if (known.until < Date.now()) void refresh(db, known);
  return known.formats;
}

async function refresh(db: Queryable, entry: Cached): Promise<WireFormats> {
  entry.until = Date.now() + CACHED_MS;
  try {
    entry.formats = await loadFormats(db);
    cached.set(db, entry);
  } catch {
    // Systemic, and whoever needs the database for more than this is told by it: the formats of before are right, too.
  }
  return entry.formats;
}

/**
 * What a schema cannot say goes as JSON, which its first byte tells: it is stored and has to be told. That rests
 * on the document and the schema alone, so that it is the same every time.
 */
function write(format: Format | undefined, { topic, type, data }: Document, text: string): Written {
  if (format?.write) {
    try {
      return { value: format.write(type, data), contentType: AVRO_CONTENT_TYPE };
    } catch {
      unsayable.inc({ topic });
    }
  }
  return { value: Buffer.from(text, 'utf8'), contentType: JSON_CONTENT_TYPE };
}

const writers = new Map<string, Format['write']>();
let known: Map<string, Subject> | undefined;

/** Compiled once for each schema. */
function writer(topic: string, id: number, schema: string): Format['write'] {
  const key = `${topic} ${id} ${schema}`;
  const made = writers.get(key);
  if (made) return made;
  known ??= subjects();
  const subject = known.get(topic);
  if (!subject) return undefined;
  const type = typeOf(schema);
  const prefix = wirePrefix(id);
  const write = (event: string, data: unknown): Buffer => Buffer.concat([prefix, type.toBuffer(subject.toAvro(event, data))]);
  writers.set(key, write);
  return write;
}

/** The Confluent wire format: a zero, the schema's id in four bytes, then Avro. */
function wirePrefix(id: number): Buffer {
  const prefix = Buffer.alloc(5);
  prefix[0] = MAGIC_BYTE;
  prefix.writeUInt32BE(id, 1);
  return prefix;
}
