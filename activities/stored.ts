import type { Domain } from '../workflows/kernel/definition';
import type { Fact } from '../workflows/kernel/fact';
import type { Keyed } from '../workflows/kernel/coalesce';
import type { Recorded } from '../workflows/kernel/recording';
import { FazendaError } from '../src/errors';
import type { Queryable } from '../src/facts/postgres';
import { factsOfMany, lastVersions } from '../src/facts/read';
import { tellFacts } from '../src/facts/tell';
import { bare } from './told';

/**
 * Tells again what a restored database has forgotten of a story, one version after the other. Never its first fact:
 * that one bears a correlation id which no run knows, and would be published again under another.
 * @throws FazendaError FZ_FACTS_LOST while the first fact is not stored; the story waits until it is recovered
 */
export async function refill(db: Queryable, domain: Domain, { id, refill: facts = [] }: Keyed & { readonly refill?: readonly Fact[] }): Promise<void> {
  if (facts[0]?.version === 1 && !(await lastVersions(db, domain.name, [id])).has(id)) {
    throw new FazendaError('FZ_FACTS_LOST', `the first fact of ${domain.name} ${id} is not stored any more`);
  }
  for (const fact of facts) await tellFacts(db, domain, [{ id, fact }]);
}

/** What to answer, by id, to those whose fact was not stored: what is there instead, or how far the store goes. */
export async function storedInstead(db: Queryable, domain: Domain, missed: readonly Keyed[]): Promise<Map<string, Recorded>> {
  const answers = new Map<string, Recorded>();
  if (missed.length === 0) return answers;
  const facts = groupById(await factsOfMany(db, domain.name, missed));
  const last = await lastVersions(db, domain.name, missed.map(({ id }) => id));
  for (const { id, version } of missed) {
    const from = facts.get(id);
    if (from) answers.set(id, { id, version, outcome: 'told', facts: from });
    else answers.set(id, { id, version, outcome: 'lacking', has: last.get(id) ?? 0 });
  }
  return answers;
}

export function groupById(facts: readonly (Fact & { id: string })[]): Map<string, Fact[]> {
  const groups = new Map<string, Fact[]>();
  for (const fact of facts) {
    const known = groups.get(fact.id);
    if (known) known.push(bare(fact));
    else groups.set(fact.id, [bare(fact)]);
  }
  return groups;
}
