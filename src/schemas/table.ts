/**
 * Which record was written how. A registry gives each schema its id, and a value begins with that id: so the id
 * is kept, and outlives the registry. A topic's format holds from one fact on, by `facts.seq`, so that a fact that
 * is written again, however much later, is the same bytes.
 */
export const WIRE_FORMATS = `
CREATE TABLE IF NOT EXISTS avro_schemas (
  topic TEXT NOT NULL,
  id INTEGER NOT NULL,
  schema TEXT NOT NULL,
  registered_at TIMESTAMPTZ NOT NULL DEFAULT now(),
  PRIMARY KEY (topic, id)
);
CREATE TABLE IF NOT EXISTS wire_formats (
  topic TEXT NOT NULL,
  -- For facts with a higher seq, up to the next row of the topic.
  from_seq BIGINT NOT NULL,
  -- Of avro_schemas; null is JSON.
  schema_id INTEGER,
  since TIMESTAMPTZ NOT NULL DEFAULT now(),
  PRIMARY KEY (topic, from_seq)
);
`;
