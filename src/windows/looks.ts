import { quoted } from './measures';
import { startsOf } from './statement';
import type { Stream } from './streams';
import { MINUTE_OF_ROW } from './tables';

/**
 * Which windows have to be looked at again. Each minute of the log has a mark, the sum of a hash of the ids of its rows;
 * a window has the sum of the marks of its minutes. A look remembers the mark that it began with. Where the two differ,
 * something came in since, however late, or a look was cut short, or ClickHouse is not what it was. So there is no
 * cursor that could pass by anything, and a look too many costs only itself.
 */

/** What a look has to see. */
export interface Due {
  readonly startMs: number;
  /** Rows of the log in its time. */
  readonly rows: number;
  /** Since when it has been known to lack facts; null where it lacked none. */
  readonly tornSince: string | null;
  /** Decimal text of 64 bits. */
  readonly mark: string;
}

/** A row of `window_looks`: what was seen, with what mark, and since when stories that end in it lack facts. */
export interface Look {
  readonly stream: string;
  readonly start: string;
  readonly mark: string;
  readonly incomplete: number;
  readonly torn_since: string;
  readonly looked_at: string;
}

/**
 * When facts come that an end of a story still lacks, it is the minutes of those facts that change, and not that of the
 * end. So a window that lacks some is looked at again, each time after a tenth of the time that it has lacked them: at once
 * at first, and what stays torn costs less and less.
 */
const TORN_PER_LOOK = 10;

/** The marks of everything, a domain each; while they stay, nothing has come in. */
export function marksStatement(rows: string): string {
  return `SELECT aggregate, toString(sum(cityHash64(ce_id))) AS mark FROM ${rows} GROUP BY aggregate ORDER BY aggregate`;
}

/**
 * The windows of a stream that are due.
 * @param rows the table behind the log, with whatever it holds twice
 * @param looks the table of looks
 */
export function dueStatement({ topic, domain, sizeMs }: Stream, rows: string, looks: string, most: number, order: 'ASC' | 'DESC' = 'DESC'): string {
  return `
SELECT now.start AS start, toString(now.mark) AS mark, now.facts AS facts, if(seen.incomplete > 0, toString(seen.torn), NULL) AS torn
FROM (
  SELECT arrayJoin(${startsOf('ms', sizeMs)}) AS start, sum(minute_mark) AS mark, sum(minute_facts) AS facts
  FROM (
    SELECT ${MINUTE_OF_ROW} AS ms, sum(cityHash64(ce_id)) AS minute_mark, count() AS minute_facts
    FROM ${rows} WHERE aggregate = ${quoted(domain)} GROUP BY aggregate, ${MINUTE_OF_ROW}
  )
  GROUP BY start
) AS now
LEFT JOIN (
  SELECT start, argMax(mark, looked_at) AS mark, argMax(incomplete, looked_at) AS incomplete, argMax(torn_since, looked_at) AS torn, max(looked_at) AS last
  FROM ${looks} WHERE stream = ${quoted(topic)} GROUP BY start
) AS seen ON now.start = seen.start
WHERE now.mark != seen.mark
  OR (seen.incomplete > 0 AND (toUnixTimestamp64Milli(now64(3)) - toUnixTimestamp64Milli(seen.last)) * ${TORN_PER_LOOK} > toUnixTimestamp64Milli(seen.last) - toUnixTimestamp64Milli(seen.torn))
ORDER BY start ${order}
LIMIT ${most}`;
}

/** A row of that statement. */
export function readDue({ start, mark, facts, torn }: { start: string; mark: string; facts: string; torn: string | null }): Due {
  return { startMs: Number(start), mark, rows: Number(facts), tornSince: torn };
}

/**
 * Windows that lie together, a handful each: what is computed together shares its rows, and a handful of more than
 * `rowsMax` rows is one window.
 * @param due in the order of time, or against it
 */
export function handfuls(due: readonly Due[], sizeMs: number, rowsMax: number): Due[][] {
  const all: Due[][] = [];
  let rows = 0;
  for (const one of due) {
    const last = all.at(-1);
    rows += one.rows;
    if (last && rows <= rowsMax && Math.abs((last.at(-1)?.startMs ?? 0) - one.startMs) <= sizeMs) last.push(one);
    else {
      all.push([one]);
      rows = one.rows;
    }
  }
  return all;
}
