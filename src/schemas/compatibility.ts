import { types, type Type } from 'avsc';
import { resolverOf } from './resolve';

/**
 * BACKWARD: what was written by the schema before can be read by this one.
 * @returns the field that breaks it and how; undefined where none does
 */
export function breakOf(reader: Type, writer: Type, path = nameOf(reader)): string | undefined {
  return canRead(reader, writer) ? undefined : (within(reader, writer, path) ?? `${path} was ${nameOf(writer)} and is ${nameOf(reader)}`);
}

function canRead(reader: Type, writer: Type): boolean {
  try {
    resolverOf(reader, writer);
    return true;
  } catch {
    return false; // That is the answer; why is found out by looking inside.
  }
}

/** The break further inside, where the two are of one kind. */
function within(reader: Type, writer: Type, path: string): string | undefined {
  if (reader instanceof types.RecordType && writer instanceof types.RecordType) {
    for (const field of reader.fields) {
      const before = writer.fields.find(({ name }) => name === field.name || field.aliases.includes(name));
      const place = `${path}.${field.name}`;
      if (before) {
        const found = breakOf(field.type, before.type, place);
        if (found !== undefined) return found;
      } else if (field.defaultValue() === undefined) {
        return `${place} is new and has no default`;
      }
    }
    return undefined;
  }
  if (reader instanceof types.ArrayType && writer instanceof types.ArrayType) return breakOf(reader.itemsType, writer.itemsType, `${path}[]`);
  if (reader instanceof types.MapType && writer instanceof types.MapType) return breakOf(reader.valuesType, writer.valuesType, `${path}{}`);
  if (isUnion(reader)) {
    const unread = branchesOf(writer).find((branch) => !canRead(reader, branch));
    const sibling = unread && branchesOf(reader).find((branch) => branch.typeName === unread.typeName && shortNameOf(branch) === shortNameOf(unread));
    return unread && sibling && breakOf(sibling, unread, path);
  }
  return undefined;
}

function isUnion(type: Type): type is types.UnwrappedUnionType | types.WrappedUnionType {
  return type instanceof types.UnwrappedUnionType || type instanceof types.WrappedUnionType;
}

function branchesOf(type: Type): readonly Type[] {
  return isUnion(type) ? type.types : [type];
}

function shortNameOf(type: Type): string | undefined {
  return type.name?.split('.').at(-1);
}

function nameOf(type: Type): string {
  if (isUnion(type)) return type.types.map(nameOf).join(' or ');
  return shortNameOf(type) ?? type.typeName;
}
