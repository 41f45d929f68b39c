import { measureSql, quoted } from './measures';
import { MINUTE_MS, type Stream } from './streams';

/**
 * The one statement that computes windows: a GROUP BY over the log in ClickHouse, which holds each fact once. Asked
 * again it gives the same, so nothing has to be kept between two looks, and no crash can leave a sum half done.
 */

/** The figures of one window, as far as the log is known. */
export interface Computed {
  readonly startMs: number;
  readonly events: number;
  readonly incomplete: number;
  readonly figures: Readonly<Record<string, unknown>>;
}

/**
 * Every row of the stories that have one in the time of these windows is read, and of each version the one that counts:
 * what `FINAL` would do, for these stories alone. With 10 million facts a day it takes 0.2 s, where FINAL takes 1.6 s.
 * @param rows the table behind the log: of rows with one key that with the highest `rank` counts
 * @param starts of the windows wanted, ms since 1970
 */
export function windowsStatement({ domain, sizeMs, measures, endings }: Stream, rows: string, starts: readonly number[]): string {
  const all = Object.entries(measures).map(([name, measure], place) => ({ column: `m${place}`, sql: measureSql(name, measure) }));
  const ofRows = all.flatMap(({ sql }) => Object.entries(sql.ofRow));
  const ofStories = all.flatMap(({ sql }) => Object.entries(sql.ofStory));
  const [fromMs, untilMs] = [Math.min(...starts), Math.max(...starts) + sizeMs];
  const carried = ['version', 'type', 'at_ms', ...ofRows.map(([name]) => name)];
  return `
SELECT start, count() AS events, sum(torn) AS incomplete${listed(all, ({ column, sql }) => `${sql.ofWindow(column)} AS w_${column}`)}
FROM (
  SELECT arrayJoin(${startsOf('at_ms', sizeMs)}) AS start, ends AND NOT whole AS torn${listed(all, ({ column, sql }) => `${sql.ofFact} AS ${column}`)}
  FROM (
    SELECT born_ms, ${carried.map((name, place) => `fact.${place + 1} AS ${name}`).join(', ')}${listed(ofStories, ([name]) => name)},
      type IN (${endings.map(quoted).join(', ')}) AS ends, ends AND known >= version AS whole
    FROM (
      SELECT aggregate_id, groupArray(tuple(${carried.join(', ')})) AS facts, count() AS known, minIf(at_ms, version = 1) AS born_ms${listed(ofStories, ([name, sql]) => `${sql} AS ${name}`)}
      FROM (
        SELECT aggregate_id, version, counted.1 AS type, counted.2 AS at_ms, counted.3 AS payload${listed(ofRows, ([name, sql]) => `${sql} AS ${name}`)}
        FROM (
          SELECT aggregate_id, version, argMax(tuple(toString(type), toUnixTimestamp64Milli(time), payload), rank) AS counted
          FROM ${rows}
          WHERE aggregate = ${quoted(domain)} AND aggregate_id IN (
            SELECT aggregate_id FROM ${rows} WHERE aggregate = ${quoted(domain)} AND time >= ${instant(fromMs)} AND time < ${instant(untilMs)}
          )
          GROUP BY aggregate_id, version
        )
      )
      GROUP BY aggregate_id
    )
    ARRAY JOIN facts AS fact
  )
  WHERE at_ms >= ${fromMs} AND at_ms < ${untilMs}
)
WHERE start IN (${starts.join(', ')})
GROUP BY start`;
}

/** The rest of a list in SQL. */
function listed<One>(all: readonly One[], text: (one: One) => string): string {
  return all.map((one) => `, ${text(one)}`).join('');
}

/** A row of that statement → the window. */
export function readComputed({ measures }: Stream, row: Readonly<Record<string, unknown>>): Computed {
  return {
    startMs: Number(row.start),
    events: Number(row.events),
    incomplete: Number(row.incomplete),
    figures: Object.fromEntries(Object.entries(measures).map(([name, measure], place) => [name, measureSql(name, measure).read(row[`w_m${place}`])])),
  };
}

/** The starts of all windows that an instant lies in; SQL over ms since 1970. */
export function startsOf(ms: string, sizeMs: number): string {
  return `arrayMap(back -> ${minuteOf(ms)} - back * ${MINUTE_MS}, range(${sizeMs / MINUTE_MS}))`;
}

/** The minute that an instant lies in, also before 1970; SQL over ms. */
export function minuteOf(ms: string): string {
  return `${ms} - positiveModulo(${ms}, ${MINUTE_MS})`;
}

function instant(ms: number): string {
  return `fromUnixTimestamp64Milli(toInt64(${ms}), 'UTC')`;
}
