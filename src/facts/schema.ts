/**
 * The tables of the mechanisms. `facts` is inbox, event log and outbox at once (DESIGN, idea 2). Its
 * columns are what Debezium's outbox router needs: id (`ce_id`), aggregate type and id, type, topic, payload.
 * https://debezium.io/documentation/reference/transformations/outbox-event-router.html
 */

/** Relays share the aggregates by shard; a power of two, so that the hash can be masked. */
export const SHARDS = 16;

const FACTS = `
CREATE TABLE IF NOT EXISTS facts (
  seq BIGINT GENERATED ALWAYS AS IDENTITY,
  aggregate_type TEXT NOT NULL,
  aggregate_id TEXT NOT NULL,
  version INTEGER NOT NULL CHECK (version >= 1),
  ce_id UUID NOT NULL,
  type TEXT NOT NULL,
  topic TEXT NOT NULL,
  -- json, not jsonb: the text that was written is the text that is published, every time.
  payload JSON NOT NULL,
  at TIMESTAMPTZ(3) NOT NULL,
  correlation_id TEXT NOT NULL,
  causation_id TEXT NOT NULL,
  traceparent TEXT,
  -- topic/partition/offset of a fact that came in by its own topic; it is never written there again.
  origin TEXT,
  published_at TIMESTAMPTZ,
  shard SMALLINT GENERATED ALWAYS AS (hashtext(aggregate_type || '/' || aggregate_id) & ${SHARDS - 1}) STORED,
  PRIMARY KEY (aggregate_type, aggregate_id, version)
);
-- What a story must know and its topic's readers were not promised; published as a header.
ALTER TABLE facts ADD COLUMN IF NOT EXISTS context JSON;
-- When the row was written, which a recovery does once more; \`at\` is the fact's own time and never changes. In two
-- steps, because a default that is given with the column would be said of all older rows too.
ALTER TABLE facts ADD COLUMN IF NOT EXISTS stored_at TIMESTAMPTZ(3);
ALTER TABLE facts ALTER COLUMN stored_at SET DEFAULT clock_timestamp();
CREATE INDEX IF NOT EXISTS facts_unpublished ON facts (seq) WHERE published_at IS NULL;
`;

/** What was sent to a story: written before its signal, so that a story that begins later finds it. */
const MAIL = `
CREATE TABLE IF NOT EXISTS mail (
  aggregate_type TEXT NOT NULL,
  aggregate_id TEXT NOT NULL,
  mail_id TEXT NOT NULL,
  type TEXT NOT NULL,
  data JSON NOT NULL,
  received_at TIMESTAMPTZ NOT NULL DEFAULT now(),
  PRIMARY KEY (aggregate_type, aggregate_id, mail_id)
);
CREATE INDEX IF NOT EXISTS mail_received ON mail (received_at);
`;

/** What the API accepted: a row before it is a record, marked sent only after Kafka's acknowledgement. */
const SUBMISSIONS = `
CREATE TABLE IF NOT EXISTS submissions (
  aggregate_type TEXT NOT NULL,
  aggregate_id TEXT NOT NULL,
  fingerprint TEXT NOT NULL,
  record JSON NOT NULL,
  answer JSON NOT NULL,
  accepted_at TIMESTAMPTZ NOT NULL DEFAULT now(),
  sent_at TIMESTAMPTZ,
  PRIMARY KEY (aggregate_type, aggregate_id)
);
`;

const IDEMPOTENCY = `
CREATE TABLE IF NOT EXISTS idempotency_keys (
  scope TEXT NOT NULL,
  key TEXT NOT NULL,
  fingerprint TEXT NOT NULL,
  fresh_id UUID NOT NULL,
  claimed_at TIMESTAMPTZ NOT NULL DEFAULT now(),
  claimed_until TIMESTAMPTZ NOT NULL,
  status INTEGER,
  headers JSON,
  body TEXT,
  PRIMARY KEY (scope, key)
);
CREATE INDEX IF NOT EXISTS idempotency_claimed ON idempotency_keys (claimed_at);
`;

export const MECHANISM_TABLES: readonly string[] = [FACTS, MAIL, SUBMISSIONS, IDEMPOTENCY];
