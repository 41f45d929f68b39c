import { minuteOf } from './statement';

/**
 * What the windows keep in ClickHouse beside the log. All of it can be lost: it is computed again from the log, or written
 * again from what PostgreSQL remembers of the publications.
 *
 * The marks of minutes are a projection of the table of facts: part of each of its parts, so that it can neither lag
 * behind the rows nor miss any, as a table fed by a materialized view could after a crash.
 */
/** The table behind the log, which may hold a fact more than once; of such rows that with the highest `rank` counts. */
export const EVENT_ROWS = 'event_log';
/** The minute of a row, ms since 1970: the same text here and where it is asked for, by which ClickHouse finds the projection. */
export const MINUTE_OF_ROW = minuteOf('toUnixTimestamp64Milli(time)');
export const LOOKS = 'window_looks';
export const REVISIONS = 'window_revisions';
/** What readers see: one row a window. */
export const WINDOWS = 'windows';

export const WINDOW_TABLES: readonly string[] = [
  `CREATE TABLE IF NOT EXISTS ${LOOKS} (
    stream LowCardinality(String), start Int64, mark UInt64, incomplete UInt32,
    torn_since DateTime64(3, 'UTC'), looked_at DateTime64(3, 'UTC')
  ) ENGINE = ReplacingMergeTree(looked_at) ORDER BY (stream, start)`,
  // The highest revision stays, whoever wrote it and whenever.
  `CREATE TABLE IF NOT EXISTS ${REVISIONS} (
    stream LowCardinality(String), start DateTime64(3, 'UTC'), end DateTime64(3, 'UTC'),
    revision UInt32, closed Bool, events UInt64, value String
  ) ENGINE = ReplacingMergeTree(revision) ORDER BY (stream, start)`,
  `CREATE OR REPLACE VIEW ${WINDOWS} AS SELECT * FROM ${REVISIONS} FINAL`,
  `ALTER TABLE ${EVENT_ROWS} MODIFY SETTING deduplicate_merge_projection_mode = 'rebuild'`,
  `ALTER TABLE ${EVENT_ROWS} ADD PROJECTION IF NOT EXISTS marks_of_minutes (
    SELECT aggregate, ${MINUTE_OF_ROW}, sum(cityHash64(ce_id)), count()
    GROUP BY aggregate, ${MINUTE_OF_ROW}
  )`,
];
