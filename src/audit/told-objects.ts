import type { NamedObject } from '../../workflows/kernel/aftermath';
import type { StoredFact } from '../facts/read';
import { inTurn } from '../in-turn';
import type { ObjectStore } from '../storage/s3';
import type { Found } from './kinds';
import type { Source } from './sources';

/** Objects read at the same time. */
const AT_ONCE = 16;

/**
 * Looks at every object that these facts name: that it is there, and that its bytes are what was put. By id, in the
 * order of the facts, whichever answer comes first: what is found in another order would count as moving.
 */
export async function compareObjects(store: ObjectStore, { domain }: Source, facts: readonly StoredFact[]): Promise<Map<string, Found[]>> {
  const named = domain?.objects ? facts.flatMap((fact) => (domain.objects?.(fact) ?? []).map((object) => ({ fact, object }))) : [];
  const answers = new Map<(typeof named)[number], Found | undefined>(named.map((one) => [one, undefined]));
  await inTurn(named, AT_ONCE, async (one) => void answers.set(one, judge(one.fact, one.object, await store.inspect(one.object.uri))));
  const found = new Map<string, Found[]>();
  for (const [{ fact: { id } }, said] of answers) if (said) found.set(id, [...(found.get(id) ?? []), said]);
  return found;
}

function judge({ version }: StoredFact, { uri, sha256, bytes }: NamedObject, there: Awaited<ReturnType<ObjectStore['inspect']>>): Found | undefined {
  if (!there) return { kind: 'object-missing', version, said: `${uri} is not there` };
  if (there.sha256 !== sha256) return { kind: 'object-differs', version, said: `the SHA-256 of ${uri} is ${there.sha256}, due is ${sha256}` };
  if (bytes !== undefined && bytes !== there.bytes) return { kind: 'object-differs', version, said: `${uri} has ${there.bytes} bytes, due are ${bytes}` };
  return undefined;
}
