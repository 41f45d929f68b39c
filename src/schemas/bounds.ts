import { types, type Type } from 'avsc';

/**
 * Walks over the bytes of one datum before anything is made of them. avsc reads on past the end and looks only
 * when it is done, so that a length that is a lie would cost all memory, or time without end.
 */

const DEPTH_MAX = 64;

/** @throws RangeError where the bytes are not exactly one datum of the type */
export function checkBounds(type: Type, bytes: Buffer, from = 0): void {
  const end = skip(type, bytes, from, 0);
  if (end !== bytes.length) throw new RangeError(`${bytes.length - end} bytes are left over`);
}

function skip(type: Type, bytes: Buffer, at: number, depth: number): number {
  if (depth > DEPTH_MAX) throw new RangeError(`nested deeper than ${DEPTH_MAX}`);
  if (type instanceof types.RecordType) return type.fields.reduce((place, field) => skip(field.type, bytes, place, depth + 1), at);
  if (type instanceof types.ArrayType) return skipBlocks(bytes, at, (place) => skip(type.itemsType, bytes, place, depth + 1));
  if (type instanceof types.MapType) return skipBlocks(bytes, at, (place) => skip(type.valuesType, bytes, skipSized(bytes, place), depth + 1));
  if (type instanceof types.UnwrappedUnionType || type instanceof types.WrappedUnionType) {
    const [index, after] = varint(bytes, at);
    const branch = type.types[index];
    if (!branch) throw new RangeError(`a union has no branch ${index}`);
    return skip(branch, bytes, after, depth + 1);
  }
  if (type instanceof types.EnumType) {
    const [index, after] = varint(bytes, at);
    if (type.symbols[index] === undefined) throw new RangeError(`an enum has no symbol ${index}`);
    return after;
  }
  if (type instanceof types.FixedType) return within(bytes, at + type.size);
  switch (type.typeName) {
    case 'null':
      return at;
    case 'boolean':
      return within(bytes, at + 1);
    case 'int':
    case 'long':
      return varint(bytes, at)[1];
    case 'float':
      return within(bytes, at + 4);
    case 'double':
      return within(bytes, at + 8);
    case 'string':
    case 'bytes':
      return skipSized(bytes, at);
    default:
      throw new RangeError(`${type.typeName} cannot be read`);
  }
}

/** Blocks of counted items, of which the last has none; a count below zero is followed by the block's size. */
function skipBlocks(bytes: Buffer, from: number, skipItem: (at: number) => number): number {
  for (let at = from; ; ) {
    let [count, after] = varint(bytes, at);
    if (count < 0) [count, after] = [-count, varint(bytes, after)[1]];
    // Items may be of no length at all; more of them than the whole value has bytes nobody means.
    if (count > bytes.length) throw new RangeError(`a block has ${count} items`);
    at = after;
    if (count === 0) return at;
    for (let left = count; left > 0; left -= 1) at = skipItem(at);
  }
}

function skipSized(bytes: Buffer, at: number): number {
  const [length, after] = varint(bytes, at);
  if (length < 0) throw new RangeError('a length is below zero');
  return within(bytes, after + length);
}

function within(bytes: Buffer, at: number): number {
  if (at > bytes.length) throw new RangeError('the bytes end too early');
  return at;
}

/** A zigzag varint, exact up to 53 bits, which is more than any length. https://avro.apache.org/docs/1.12.0/specification/#primitive-types-1 */
function varint(bytes: Buffer, from: number): [value: number, after: number] {
  let value = 0;
  for (let at = from, factor = 1; at < from + 10; at += 1, factor *= 128) {
    const byte = bytes[at];
    if (byte === undefined) throw new RangeError('the bytes end too early');
    value += (byte & 0x7f) * factor;
    if (byte < 0x80) return [value % 2 === 0 ? value / 2 : -(value + 1) / 2, at + 1];
  }
  throw new RangeError('a number has more than ten bytes');
}
