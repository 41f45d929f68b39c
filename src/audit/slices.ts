import { createHash } from 'node:crypto';

/** A part of all aggregates, so that what is kept of the topics in memory stays bounded: those whose number leaves this rest. */
export interface Slice {
  readonly of: number;
  readonly at: number;
}

export const WHOLE: Slice = { of: 1, at: 0 };

/** Facts whose records are kept in memory at the same time; more are taken slice by slice. */
const SLICE_FACTS_MAX = 400_000;

/** All slices of so many facts. */
export function slicesOf(facts: number): Slice[] {
  const of = Math.max(1, Math.ceil(facts / SLICE_FACTS_MAX));
  return Array.from({ length: of }, (_, at) => ({ of, at }));
}

export function isInSlice(id: string, { of, at }: Slice): boolean {
  return of === 1 || Number.parseInt(createHash('md5').update(id).digest('hex').slice(0, 7), 16) % of === at;
}

/** The number of an aggregate as PostgreSQL reckons it: 28 bits of the MD5 of its id. */
export const NUMBER_OF_ID = "('x' || left(md5(aggregate_id), 7))::bit(28)::int";
