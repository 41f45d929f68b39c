import { z, type ZodType } from 'zod';

/** A JSON document as far as Avro is concerned. What Avro has no type for travels as JSON text: `json`. */
export type Shape =
  | { readonly kind: 'string' | 'long' | 'double' | 'boolean' | 'json' }
  | { readonly kind: 'array'; readonly items: Shape }
  | { readonly kind: 'map'; readonly values: Shape }
  | RecordShape;

export interface RecordShape {
  readonly kind: 'record';
  readonly name: string;
  readonly fields: readonly FieldShape[];
}

export interface FieldShape {
  readonly name: string;
  readonly shape: Shape;
  /** May be left out; Avro says null for it. */
  readonly optional: boolean;
  /** May be null. Both at once would lose which of the two it was, so that null is then read as left out. */
  readonly nullable: boolean;
}

/** The part of JSON Schema that contracts are made of. */
export interface JsonSchema {
  readonly type?: string | readonly string[];
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: JsonSchema | boolean;
  readonly items?: JsonSchema;
  readonly anyOf?: readonly JsonSchema[];
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly title?: string;
  readonly description?: string;
  readonly $ref?: string;
  readonly $defs?: Readonly<Record<string, JsonSchema>>;
}

/** The JSON Schema of a contract: of what is written, before a reader has made anything of it. */
export function jsonSchemaOf(schema: ZodType): JsonSchema {
  return z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' }) as JsonSchema;
}

/** @throws TypeError for a contract that is no object */
export function shapeOf(name: string, schema: ZodType): RecordShape {
  const shape = shapeAt(jsonSchemaOf(schema), name);
  if (shape.kind !== 'record') throw new TypeError(`the contract of ${name} is no object`);
  return shape;
}

function shapeAt(schema: JsonSchema, name: string): Shape {
  const [type] = typesOf(schema).filter((one) => one !== 'null');
  const inner = schema.anyOf?.filter((one) => one.type !== 'null');
  if (inner?.length === 1 && inner[0]) return shapeAt(inner[0], name);
  switch (type) {
    case 'string':
    case 'boolean':
      return { kind: type };
    case 'integer':
      return { kind: 'long' };
    case 'number':
      return { kind: 'double' };
    case 'array':
      return schema.items ? { kind: 'array', items: shapeAt(schema.items, name) } : { kind: 'json' };
    case 'object':
      return objectShape(schema, name);
    default:
      return { kind: 'json' };
  }
}

function objectShape(schema: JsonSchema, name: string): Shape {
  const { properties, required = [], additionalProperties, title = name } = schema;
  if (properties === undefined) {
    return typeof additionalProperties === 'object' ? { kind: 'map', values: shapeAt(additionalProperties, name) } : { kind: 'json' };
  }
  const fields = Object.entries(properties).map(([field, one]): FieldShape => {
    const shape = shapeAt(one, `${title}${field.charAt(0).toUpperCase()}${field.slice(1)}`);
    // A JSON text has its own word for null.
    return { name: field, shape, optional: !required.includes(field), nullable: shape.kind !== 'json' && isNullable(one) };
  });
  return { kind: 'record', name: title, fields };
}

function isNullable(schema: JsonSchema): boolean {
  return typesOf(schema).includes('null') || (schema.anyOf?.some((one) => one.type === 'null') ?? false);
}

function typesOf({ type }: JsonSchema): readonly string[] {
  if (type === undefined) return [];
  return typeof type === 'string' ? [type] : type;
}
