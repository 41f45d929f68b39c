/**
 * `version` counts the changes of a row, `told` those of them that became facts: while Kafka is disabled items
 * write none, and the versions of their facts have no gap all the same.
 */
export const ITEMS_TABLE = `
CREATE TABLE IF NOT EXISTS items (
  id UUID PRIMARY KEY,
  name TEXT NOT NULL,
  sku TEXT NOT NULL,
  created_by TEXT NOT NULL,
  created_at TIMESTAMPTZ(3) NOT NULL,
  updated_at TIMESTAMPTZ(3) NOT NULL,
  version INTEGER NOT NULL,
  told INTEGER NOT NULL
);
CREATE INDEX IF NOT EXISTS items_of_owner ON items (created_by, created_at DESC);
CREATE INDEX IF NOT EXISTS items_newest ON items (created_at DESC, id DESC);
`;
