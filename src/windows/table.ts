/**
 * What was said of each window last, exactly as it was said. A row is written before its record goes out, so that a crash
 * in between sends the same bytes again. `window_topics` says how far we know each topic, of which we are the only writer:
 * an end that lies before that is another topic, and one that lies behind it holds what a lost database has forgotten.
 */
export const WINDOW_RESULTS = `
CREATE TABLE IF NOT EXISTS window_results (
  stream TEXT NOT NULL,
  start TIMESTAMPTZ NOT NULL,
  revision INTEGER NOT NULL,
  closes_at TIMESTAMPTZ NOT NULL,
  closed BOOLEAN NOT NULL,
  -- The value of the record, and the time that it bears.
  value TEXT NOT NULL,
  told_at TIMESTAMPTZ NOT NULL,
  published BOOLEAN NOT NULL,
  PRIMARY KEY (stream, start)
);
CREATE INDEX IF NOT EXISTS window_results_unpublished ON window_results (stream, start) WHERE NOT published;
CREATE INDEX IF NOT EXISTS window_results_open ON window_results (closes_at) WHERE NOT closed;
CREATE TABLE IF NOT EXISTS window_topics (
  topic TEXT NOT NULL,
  partition INTEGER NOT NULL,
  next_offset BIGINT NOT NULL,
  PRIMARY KEY (topic, partition)
);
`;
