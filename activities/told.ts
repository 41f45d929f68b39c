import type { Fact } from '../workflows/kernel/fact';
import type { Told } from '../workflows/kernel/recording';
import { factsFrom } from '../src/facts/read';
import type { Queryable } from '../src/facts/postgres';

/** Only what a story folds; the columns around a fact are nobody's business in a workflow's history. */
export function bare({ type, version, at, data, context }: Fact): Fact {
  return { type, version, at, data, ...(context && { context }) };
}

/**
 * Asked by an effect before it acts: is the version that it serves told already? Then a second run of
 * the story was faster, and the effect brings what was told instead of acting.
 */
export async function toldAlready(
  db: Queryable, domain: string, request: { readonly id: string; readonly version: number },
): Promise<Told | undefined> {
  const told = await factsFrom(db, domain, request.id, request.version);
  return told.length > 0 ? { told: told.map(bare) } : undefined;
}
