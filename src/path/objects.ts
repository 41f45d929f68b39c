import type { Domain } from '../../workflows/kernel/definition';
import type { ObjectStore } from '../storage/s3';
import type { PathLine } from './line';
import type { Stored } from './stored';

/** What is in the object store of what the facts of a story name there. @throws FazendaError FZ_STORAGE_AWAY */
export async function objectLines(store: Pick<ObjectStore, 'inspect'>, domain: Domain, { facts }: Stored): Promise<PathLine[]> {
  const named = facts.flatMap((fact) => (domain.objects?.(fact) ?? []).map((object) => ({ ...object, version: fact.version })));
  // Two facts may name the same bytes, which lie there once.
  const objects = [...new Map(named.map((object) => [object.uri, object])).values()];
  return await Promise.all(objects.map(async ({ uri, sha256, version }): Promise<PathLine> => {
    const there = await store.inspect(uri);
    const found = !there ? 'is missing' : there.sha256 === sha256 ? `is there, ${there.bytes} bytes, as its fact says` : 'is there, and is not what its fact says';
    return { at: null, teller: 'S3', event: 'object', version, text: `${uri} ${found}` };
  }));
}
