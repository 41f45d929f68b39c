import { domains } from '../../workflows/domains';
import type { Queryable } from '../facts/postgres';
import type { Difference } from './kinds';
import type { Range } from './told-facts';

/** What does not add up in the tables of domains, now: each is asked in one statement, so nothing is under way in it. */
export async function reckonUp(db: Queryable, { aggregates, ids }: Range): Promise<Difference[]> {
  const differences: Difference[] = [];
  for (const { name, sums = [] } of domains) {
    if (aggregates && !aggregates.includes(name)) continue;
    for (const { of, sql } of sums) {
      const { rows } = await db.query<{ id: string; said: string }>(sql);
      differences.push(...rows.filter(({ id }) => ids?.includes(id) ?? true).map(({ id, said }) => ({ kind: 'sum-wrong' as const, aggregate: of, id, said })));
    }
  }
  return differences;
}
