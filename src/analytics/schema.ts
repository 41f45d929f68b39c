/**
 * What analytics keeps in ClickHouse. Every statement can be run again and by several at once.
 *
 * Rows are put in at least once: a process may die between an insert and its commit, and a server may go on with an
 * insert whose client is gone. So nothing here counts what is put in. Each table is a `ReplacingMergeTree` whose key is
 * what a row is about, and whoever reads says FINAL: then of each aggregate's version there is one row, whatever was
 * written how often and in which order. Of several that differ the one that was on Kafka first counts, by `rank`.
 *
 * `events` is what the contracts promise: exactly one row per `ce_id`, without FINAL. It is a view, so that no reader
 * can forget it. Who wants a stretch of time adds `FILED_BETWEEN` and reads `event_log FINAL`: facts lie by the hour.
 * First facts do not, because a partner may tell one again at another time, which must not make it two.
 */

/** What a row is about; `ce_id` is made of exactly these. */
const KEY = 'aggregate, aggregate_id, version';

/** Weeks, so that a refill over months makes few parts. Partners name any instant: those far off share a partition. */
const WEEK = "PARTITION BY if(time >= toDateTime64('2020-01-01', 3, 'UTC') AND time < toDateTime64('2100-01-01', 3, 'UTC'), toMonday(time), toDate(0))";

/** The offset is committed after an insert, so an acknowledged one has to be on the disk. */
const SAFE = 'SETTINGS fsync_after_insert = 1, fsync_part_directory = 1';

const IDENTITY = "aggregate LowCardinality(String), aggregate_id String, version UInt32, time DateTime64(3, 'UTC'), rank UInt64";

/** A table that a view fills with what is put into `event_log`, of the rows that it has something to say of. */
function fed(name: string, columns: string, select: string, key = KEY): string[] {
  return [
    `CREATE TABLE IF NOT EXISTS ${name} (${IDENTITY}, ${columns}) ENGINE = ReplacingMergeTree(rank) ${WEEK} ORDER BY (${key}) ${SAFE}`,
    `CREATE MATERIALIZED VIEW IF NOT EXISTS ${name}_feed TO ${name} AS SELECT aggregate, aggregate_id, version, time, rank, ${select}`,
  ];
}

export const ANALYTICS_TABLES: readonly string[] = [
  `CREATE TABLE IF NOT EXISTS event_log (
    ce_id UUID, ${IDENTITY}, type LowCardinality(String), topic LowCardinality(String), payload String CODEC(ZSTD),
    partition UInt16, record_offset UInt64,
    outcome LowCardinality(String), attempt UInt32, reasons Array(String), revenue Nullable(Decimal(38, 2)),
    stock Array(Tuple(product String, reserved Int64, released Int64)),
    filed DateTime('UTC') DEFAULT if(version = 1, toDateTime(0, 'UTC'), toStartOfHour(toDateTime(time, 'UTC')))
  ) ENGINE = ReplacingMergeTree(rank) ${WEEK} ORDER BY (filed, ${KEY}) ${SAFE}`,
  // The contract: exactly these columns, in this order, one row per ce_id.
  'CREATE VIEW IF NOT EXISTS events AS SELECT ce_id, aggregate, aggregate_id, version, type, topic, time, payload FROM event_log FINAL',
  // When each version of each story was reached: the funnel, and the time between two steps. Outcome: good, bad or ''.
  ...fed('steps', 'type LowCardinality(String), outcome LowCardinality(String)', 'type, outcome FROM event_log'),
  ...fed('attempts', 'attempt UInt32', 'attempt FROM event_log WHERE attempt > 0'),
  ...fed('failures', 'type LowCardinality(String), reasons Array(String)', 'type, reasons FROM event_log WHERE notEmpty(reasons)'),
  ...fed('revenue', 'amount Decimal(38, 2)', 'assumeNotNull(revenue) AS amount FROM event_log WHERE isNotNull(revenue)'),
  ...fed(
    'stock_moves', 'product String, reserved Int64, released Int64',
    'move.product AS product, move.reserved AS reserved, move.released AS released FROM event_log ARRAY JOIN stock AS move', `${KEY}, product`,
  ),
  // A row once the consumer group began at the topics' beginning for these tables; before, what it has committed says nothing of them.
  `CREATE TABLE IF NOT EXISTS fills (id UUID, begun_at DateTime64(3, 'UTC')) ENGINE = MergeTree ORDER BY begun_at ${SAFE}`,
];

/**
 * A condition on `event_log FINAL` that leaves out, by the primary key, what cannot be from that stretch of time; the
 * condition on `time` itself is still to be made. Parameters `from` and `until`: DateTime64(3).
 */
export const FILED_BETWEEN = "(filed = toDateTime(0, 'UTC') OR (filed >= toStartOfHour(toDateTime({from: DateTime64(3)}, 'UTC')) AND filed <= toDateTime({until: DateTime64(3)}, 'UTC')))";
