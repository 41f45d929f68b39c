/**
 * A row is written with every fact of its order, and most of these change no column that an index has: then
 * PostgreSQL keeps the new row on the page of the old one and touches no index at all. So `updated_at` is in none.
 * https://www.postgresql.org/docs/current/storage-hot.html
 */
const ORDER_VIEW = `
CREATE TABLE IF NOT EXISTS order_view (
  id TEXT PRIMARY KEY,
  status TEXT NOT NULL,
  created_at TIMESTAMP NOT NULL,
  updated_at TIMESTAMP NOT NULL,
  version INTEGER NOT NULL,
  phase TEXT NOT NULL,
  edge TEXT NOT NULL,
  client_id TEXT NOT NULL,
  client_name TEXT,
  total_cents BIGINT NOT NULL,
  items JSON NOT NULL,
  payments JSON NOT NULL,
  payment_id TEXT,
  reason TEXT
) WITH (fillfactor = 60);
CREATE INDEX IF NOT EXISTS idx_order_view_status ON order_view(status);
CREATE INDEX IF NOT EXISTS idx_order_view_created_at ON order_view(created_at DESC);
-- For lists of submitters, who see their own alone.
CREATE INDEX IF NOT EXISTS idx_order_view_client ON order_view(client_id, created_at DESC);
CREATE INDEX IF NOT EXISTS idx_order_view_working ON order_view(created_at) WHERE phase = 'working';
CREATE INDEX IF NOT EXISTS idx_order_view_waiting ON order_view(created_at) WHERE phase = 'waiting';
`;

const CLIENTS = `
CREATE TABLE IF NOT EXISTS clients (
  id TEXT PRIMARY KEY,
  name TEXT NOT NULL,
  email TEXT NOT NULL,
  phone TEXT NOT NULL,
  -- Digits only.
  cpf TEXT NOT NULL UNIQUE,
  created_at TIMESTAMPTZ NOT NULL DEFAULT now()
);
`;

/** At any moment: `stocked`, what was ever put there, = quantity + reserved + sold; audit reckons it up. */
const PRODUCTS = `
CREATE TABLE IF NOT EXISTS products (
  id TEXT PRIMARY KEY,
  sku TEXT UNIQUE,
  name TEXT NOT NULL,
  description TEXT NOT NULL,
  price_cents BIGINT NOT NULL CHECK (price_cents >= 0),
  -- What is still free.
  quantity BIGINT NOT NULL CHECK (quantity >= 0),
  reserved BIGINT NOT NULL DEFAULT 0 CHECK (reserved >= 0),
  sold BIGINT NOT NULL DEFAULT 0 CHECK (sold >= 0),
  created_at TIMESTAMPTZ NOT NULL DEFAULT now()
);
-- Null where nobody said. Whoever restocks by hand adds to it as to the quantity.
ALTER TABLE products ADD COLUMN IF NOT EXISTS stocked BIGINT;
`;

/**
 * What each order did to the stock, a row an order: 'held', 'sold' or 'released'. A row that is released stays,
 * because undoing closes a key for ever: whoever comes late with a reservation finds it.
 */
const RESERVATIONS = `
CREATE TABLE IF NOT EXISTS stock_reservations (
  order_id TEXT PRIMARY KEY,
  state TEXT NOT NULL,
  -- [{"product": id, "quantity": n}], one entry a product that has a record; empty where none has.
  items JSON NOT NULL
);
`;

/**
 * The books of the simulated provider, as a real one keeps its own: one row an idempotency key. 'voided' under a
 * key that had captured nothing is a tombstone.
 */
const SIMULATED_PAYMENTS = `
CREATE TABLE IF NOT EXISTS simulated_payments (
  key TEXT PRIMARY KEY,
  payment_id TEXT NOT NULL,
  amount_cents BIGINT NOT NULL,
  state TEXT NOT NULL,
  captured BOOLEAN NOT NULL
);
`;

export const ORDER_TABLES: readonly string[] = [ORDER_VIEW, CLIENTS, PRODUCTS, RESERVATIONS, SIMULATED_PAYMENTS];
