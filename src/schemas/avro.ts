import type { RecordShape, Shape } from './shape';

/**
 * Avro schemas, derived from the shapes of contracts, and the way of a JSON document into Avro's values and back.
 * There and back again a document is the same, key for key.
 */
export type AvroSchema = string | readonly AvroSchema[] | { readonly [name: string]: unknown };

/** The schema of a record; a record of a name that was said before is only named. */
export function avroRecord(shape: RecordShape, namespace: string): AvroSchema {
  const { type, name, fields } = recordSchema(shape, new Set());
  return { type, name, namespace, fields };
}

function recordSchema({ name, fields }: RecordShape, said: Set<string>): { type: 'record'; name: string; fields: readonly object[] } {
  said.add(name);
  return {
    type: 'record',
    name,
    fields: fields.map(({ name: field, shape, optional, nullable }) => {
      const type = schemaOf(shape, said);
      return optional || nullable ? { name: field, type: ['null', type], default: null } : { name: field, type };
    }),
  };
}

function schemaOf(shape: Shape, said: Set<string>): AvroSchema {
  switch (shape.kind) {
    case 'json':
      return 'string';
    case 'array':
      return { type: 'array', items: schemaOf(shape.items, said) };
    case 'map':
      return { type: 'map', values: schemaOf(shape.values, said) };
    case 'record':
      return said.has(shape.name) ? shape.name : recordSchema(shape, said);
    default:
      return shape.kind;
  }
}

type Convert = (value: unknown) => unknown;

/** A JSON document → the value that Avro writes. Compiled once; what is not of the shape is left for Avro to refuse. */
export function toAvro(shape: Shape): Convert {
  switch (shape.kind) {
    case 'json':
      return (value) => JSON.stringify(value);
    case 'array':
      return overArray(toAvro(shape.items));
    case 'map':
      return overMap(toAvro(shape.values));
    case 'record': {
      const fields = shape.fields.map(({ name, shape: inner }) => ({ name, convert: orNull(inner) }));
      return (value) => {
        if (!isObject(value)) return value;
        // What this contract does not know is kept: an older schema may still have it.
        const written: Record<string, unknown> = { ...value };
        for (const { name, convert } of fields) written[name] = convert(value[name]);
        return written;
      };
    }
    case 'long':
      return exactLong;
    default:
      return (value) => value;
  }
}

/** What is left out is null, and so is null, unless the field is a JSON text, which has its own. */
function orNull(shape: Shape): Convert {
  const convert = toAvro(shape);
  return (value) => (value === undefined || (value === null && shape.kind !== 'json') ? null : convert(value));
}

/** What Avro read → the JSON document. @throws SyntaxError where a JSON text in it is none */
export function fromAvro(shape: Shape): Convert {
  switch (shape.kind) {
    case 'json':
      return (value) => JSON.parse(String(value)) as unknown;
    case 'array':
      return overArray(fromAvro(shape.items));
    case 'map':
      return overMap(fromAvro(shape.values));
    case 'record': {
      const fields = shape.fields.map(({ name, shape: inner, optional }) => ({ name, optional, convert: fromAvro(inner) }));
      return (value) => {
        if (!isObject(value)) return value;
        const read: Record<string, unknown> = {};
        for (const { name, optional, convert } of fields) {
          const held = value[name];
          if (held !== null && held !== undefined) read[name] = convert(held);
          else if (!optional) read[name] = null;
        }
        return read;
      };
    }
    case 'long':
      return exactLong;
    default:
      return (value) => value;
  }
}

/** avsc reads some longs beyond 52 bits as others, and says nothing. */
const LONG_MAX = 2 ** 52;

function exactLong(value: unknown): unknown {
  if (typeof value === 'number' && Math.abs(value) >= LONG_MAX) throw new RangeError('a number has more than 52 bits');
  return value;
}

function overArray(convert: Convert): Convert {
  return (value) => (Array.isArray(value) ? value.map(convert) : value);
}

function overMap(convert: Convert): Convert {
  return (value) => (isObject(value) ? Object.fromEntries(Object.entries(value).map(([key, held]) => [key, convert(held)])) : value);
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}
