import type { StoredFact } from '../facts/read';
import { inTurn } from '../in-turn';
import type { ObjectStore } from '../storage/s3';
import type { Found } from './kinds';
import type { Source } from './sources';

/** Objects read at the same time. */
const AT_ONCE = 16;

/** Looks at every object that these facts name: that it is there, and that its bytes are what was put. By id. */
export async function compareObjects(store: ObjectStore, { domain }: Source, facts: readonly StoredFact[]): Promise<Map<string, Found[]>> {
  const named = domain?.objects ? facts.flatMap((fact) => (domain.objects?.(fact) ?? []).map((object) => ({ fact, object }))) : [];
  const found = new Map<string, Found[]>();
  await inTurn(named, AT_ONCE, async ({ fact: { id, version }, object: { uri, sha256, bytes } }) => {
    const there = await store.inspect(uri);
    const add = (one: Found): void => void found.set(id, [...(found.get(id) ?? []), one]);
    if (!there) add({ kind: 'object-missing', version, said: `${uri} is not there` });
    else if (there.sha256 !== sha256) add({ kind: 'object-differs', version, said: `the SHA-256 of ${uri} is ${there.sha256}, due is ${sha256}` });
    else if (bytes !== undefined && bytes !== there.bytes) add({ kind: 'object-differs', version, said: `${uri} has ${there.bytes} bytes, due are ${bytes}` });
  });
  return found;
}
