import type { Fact } from '../../workflows/kernel/fact';
import type { Queryable } from '../facts/postgres';
import { factsOfMany, type StoredFact } from '../facts/read';

/** Everything that is stored of some aggregates, each in the order of its versions. */
export async function storiesOf(db: Queryable, aggregate: string, ids: readonly string[]): Promise<Map<string, StoredFact[]>> {
  const stories = new Map<string, StoredFact[]>();
  for (const fact of await factsOfMany(db, aggregate, ids.map((id) => ({ id, version: 1 })))) {
    const known = stories.get(fact.id);
    if (known) known.push(fact);
    else stories.set(fact.id, [fact]);
  }
  return stories;
}

/** Facts as far as they can be folded: up to the first version that is not stored. */
export function withoutGap<One extends Fact>(facts: readonly One[]): One[] {
  const end = facts.findIndex(({ version }, at) => version !== at + 1);
  return end < 0 ? [...facts] : facts.slice(0, end);
}
