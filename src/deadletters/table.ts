/**
 * What can be asked of dead letters quickly. The dead-letter topics are the truth: `dead_letters` is an index
 * of them, made by a consumer and made again from the beginning whenever it is lost (see indexer.ts).
 */
export const DEAD_LETTERS = `
CREATE TABLE IF NOT EXISTS dead_letters (
  -- topic/partition/offset of the record that died; a letter that was written twice is one letter.
  id TEXT PRIMARY KEY,
  topic TEXT NOT NULL,
  partition INTEGER NOT NULL,
  record_offset BIGINT NOT NULL,
  consumer_group TEXT,
  error_code TEXT NOT NULL,
  reason TEXT NOT NULL,
  died_at TIMESTAMPTZ(3) NOT NULL,
  key BYTEA,
  value BYTEA,
  value_sha256 TEXT NOT NULL,
  -- The original's, as pairs of name and base64; null for a header without a value.
  headers JSON NOT NULL,
  redriven_from TEXT,
  -- Where the letter itself lies in its dead-letter topic.
  letter_partition INTEGER NOT NULL,
  letter_offset BIGINT NOT NULL
);
CREATE INDEX IF NOT EXISTS dead_letters_by_time ON dead_letters (died_at DESC, id DESC);
CREATE INDEX IF NOT EXISTS dead_letters_by_cause ON dead_letters (error_code, died_at DESC, id DESC);
CREATE INDEX IF NOT EXISTS dead_letters_by_topic ON dead_letters (topic, died_at DESC, id DESC);

-- One row a redrive, before its record is on the topic: the fence that lets only one through. The digest is part of
-- the key because a topic that was made anew counts its offsets anew.
CREATE TABLE IF NOT EXISTS dead_letter_redrives (
  letter_id TEXT NOT NULL,
  before_sha256 TEXT NOT NULL,
  after_sha256 TEXT NOT NULL,
  edited BOOLEAN NOT NULL,
  -- The bytes that are put back, where they are not the letter's own; forgotten once they are.
  after_value BYTEA,
  redriven_by TEXT NOT NULL,
  why TEXT,
  redriven_at TIMESTAMPTZ(3) NOT NULL,
  held_until TIMESTAMPTZ NOT NULL,
  sent_at TIMESTAMPTZ(3),
  -- topic/partition/offset of the record that was put back.
  redriven_to TEXT,
  PRIMARY KEY (letter_id, before_sha256)
);

-- The index as it is now. A new table has a new epoch, by which its consumer group is named: so it begins at the beginning.
CREATE TABLE IF NOT EXISTS dead_letter_index (
  only_row BOOLEAN PRIMARY KEY DEFAULT true CHECK (only_row),
  epoch UUID NOT NULL DEFAULT gen_random_uuid()
);
INSERT INTO dead_letter_index DEFAULT VALUES ON CONFLICT DO NOTHING;
`;
