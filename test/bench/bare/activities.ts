import type { Pool } from 'pg';
import { grouped } from '../../../src/grouped';

export interface BareFact {
  readonly id: string;
  readonly version: number;
  readonly data: object;
}

export const TABLE = `CREATE TABLE IF NOT EXISTS bare_facts (
  seq BIGINT GENERATED ALWAYS AS IDENTITY, id TEXT NOT NULL, version INTEGER NOT NULL, data JSON NOT NULL, published BOOLEAN NOT NULL,
  PRIMARY KEY (id, version));
  CREATE INDEX IF NOT EXISTS bare_unpublished ON bare_facts (seq) WHERE NOT published;`;

/** One insert at a time, of what was asked meanwhile. */
export function openStore(db: Pool, hint: () => void) {
  return grouped(async (facts: readonly BareFact[]) => {
    await db.query({
      name: 'store',
      text: `INSERT INTO bare_facts (id, version, data, published)
        SELECT id, version, data, version = 1 FROM json_to_recordset($1::json) AS f(id text, version int, data json) ON CONFLICT DO NOTHING`,
      values: [JSON.stringify(facts)],
    });
    hint();
  });
}

export function bareActivities(store: (facts: readonly BareFact[]) => Promise<void>) {
  return { store };
}

export type BareActivities = ReturnType<typeof bareActivities>;
