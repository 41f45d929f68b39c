import type { Type } from 'avsc';

/** What turns values of one schema into those of another. */
export type Resolver = NonNullable<Parameters<Type['fromBuffer']>[1]>;

/**
 * Reads one schema as another by Avro's rules; names are compared without their namespaces.
 * https://avro.apache.org/docs/1.12.0/specification/#schema-resolution
 * @throws Error where the one cannot be read as the other
 */
export function resolverOf(reader: Type, writer: Type): Resolver {
  // The typings leave the options out.
  const resolve: (writer: Type, options: object) => Resolver = reader.createResolver.bind(reader);
  return resolve(writer, { ignoreNamespaces: true });
}
