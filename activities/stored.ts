import type { Domain } from '../workflows/kernel/definition';
import type { Fact } from '../workflows/kernel/fact';
import type { Keyed } from '../workflows/kernel/coalesce';
import type { Recorded } from '../workflows/kernel/recording';
import type { Queryable } from '../src/facts/postgres';
import { factsOfMany, lastVersions } from '../src/facts/read';
import { tellFacts } from '../src/facts/tell';
import { bare } from './told';

/**
 * Tells again what a restored database has forgotten of some stories, one version after the other. Never a first
 * fact: that one bears a correlation id which no run knows, and would be published again under another.
 * @returns the ids of those whose first fact is not stored, of which nothing can be told until it is recovered
 */
export async function refill(db: Queryable, domain: Domain, asking: readonly (Keyed & { readonly refill?: readonly Fact[] })[]): Promise<ReadonlySet<string>> {
  const wanting = asking.filter(({ refill: facts = [] }) => facts.length > 0);
  if (wanting.length === 0) return NOBODY;
  const fromFirst = wanting.filter(({ refill: facts }) => facts?.[0]?.version === 1).map(({ id }) => id);
  const last = await lastVersions(db, domain.name, fromFirst);
  const lost = new Set(fromFirst.filter((id) => !last.has(id)));
  for (const { id, refill: facts = [] } of wanting) if (!lost.has(id)) for (const fact of facts) await tellFacts(db, domain, [{ id, fact }]);
  return lost;
}

const NOBODY: ReadonlySet<string> = new Set();

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
