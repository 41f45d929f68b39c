import type { ClickHouse } from './clickhouse';
import { conditionOf, TELLERS, type Span } from './request';

/**
 * What is told of many stories together. Every report reads FINAL, so that an event counts once however often it was
 * put in, and has 1,000 lines at most. Money is exact: decimals of ClickHouse, and text here.
 */

const LINES_MAX = 1_000;

/** How many aggregates reached each type of event. */
export interface FunnelLine {
  readonly domain: string;
  readonly type: string;
  readonly stories: number;
  /** Of those that were begun in the same span, 0 to 1; null where none was. */
  readonly share: number | null;
}

export async function funnel(clickhouse: ClickHouse, span: Span): Promise<FunnelLine[]> {
  const { where, parameters } = conditionOf(span);
  const rows = await clickhouse.select<{ domain: string; type: string; stories: string; begun: string }>(
    `SELECT aggregate AS domain, type, uniqExact(aggregate_id) AS stories, uniqExactIf(aggregate_id, version = 1) AS begun
     FROM steps FINAL WHERE ${where} GROUP BY 1, 2 LIMIT ${LINES_MAX}`, parameters);
  const begun = new Map<string, number>();
  for (const row of rows) begun.set(row.domain, (begun.get(row.domain) ?? 0) + Number(row.begun));
  return rows.toSorted(byStory).map(({ domain, type, stories }) => {
    const all = begun.get(domain) ?? 0;
    return { domain, type, stories: Number(stories), share: all === 0 ? null : Math.round((Number(stories) / all) * 10_000) / 10_000 };
  });
}

/** Domains in their order, and within one its types in the order in which it names them. */
function byStory(a: { domain: string; type: string }, b: { domain: string; type: string }): number {
  return placeOf(a) - placeOf(b);
}

function placeOf({ domain, type }: { domain: string; type: string }): number {
  const at = TELLERS.findIndex(({ name }) => name === domain);
  return at * LINES_MAX + (TELLERS[at]?.types.indexOf(type) ?? 0);
}

/** Time from one event of a story to the next, milliseconds. Those are counted whose later one is in the span. */
export interface StepLine {
  readonly domain: string;
  readonly from: string;
  readonly to: string;
  readonly count: number;
  readonly meanMs: number;
  readonly p50Ms: number;
  readonly p90Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
}

export async function steps(clickhouse: ClickHouse, { domain, ...times }: Span): Promise<StepLine[]> {
  // The domain is chosen inside, the time outside: what came before the first step of a span may lie before it.
  const of = conditionOf({ domain, from: undefined, until: undefined });
  const at = conditionOf({ domain: undefined, ...times });
  const rows = await clickhouse.select<{ domain: string; before: string; type: string; count: string; mean: number; quantiles: (string | number)[]; max: string }>(
    `SELECT aggregate AS domain, before, type, count() AS count, avg(ms) AS mean, quantilesExact(0.5, 0.9, 0.99)(ms) AS quantiles, max(ms) AS max
     FROM (
       SELECT aggregate, type, time, version, lagInFrame(toString(type)) OVER story AS before, lagInFrame(version) OVER story AS version_before,
         dateDiff('millisecond', lagInFrame(time) OVER story, time) AS ms
       FROM steps FINAL WHERE ${of.where}
       WINDOW story AS (PARTITION BY aggregate, aggregate_id ORDER BY version ROWS BETWEEN 1 PRECEDING AND CURRENT ROW)
     )
     WHERE version > 1 AND version_before = version - 1 AND ${at.where}
     GROUP BY 1, 2, 3 ORDER BY domain, count DESC, before, type LIMIT ${LINES_MAX}`, { ...of.parameters, ...at.parameters });
  return rows.toSorted(byStory).map(({ domain: name, before, type, count, mean, quantiles: [p50, p90, p99], max }) => ({
    domain: name, from: before, to: type, count: Number(count), meanMs: Math.round(mean * 10) / 10, p50Ms: Number(p50), p90Ms: Number(p90), p99Ms: Number(p99), maxMs: Number(max),
  }));
}

/** How many attempts stories took, and how they ended: `good`, `bad`, or `open` where they have not. */
export interface AttemptLine {
  readonly domain: string;
  readonly attempts: number;
  readonly outcome: string;
  readonly stories: number;
}

export async function attempts(clickhouse: ClickHouse, span: Span): Promise<AttemptLine[]> {
  const { where, parameters } = conditionOf(span);
  const rows = await clickhouse.select<{ domain: string; attempts: string; outcome: string; stories: string }>(
    `SELECT a.aggregate AS domain, a.attempts AS attempts, if(e.ended = '', 'open', toString(e.ended)) AS outcome, count() AS stories
     FROM (SELECT aggregate, aggregate_id, max(attempt) AS attempts FROM attempts FINAL WHERE ${where} GROUP BY 1, 2) AS a
     LEFT JOIN (${ENDED}) AS e ON e.aggregate = a.aggregate AND e.aggregate_id = a.aggregate_id
     GROUP BY 1, 2, 3 ORDER BY 1, 2, 3 LIMIT ${LINES_MAX}`, parameters);
  return rows.map(({ domain, outcome, ...row }) => ({ domain, attempts: Number(row.attempts), outcome, stories: Number(row.stories) }));
}

/** How each story ended, whenever that was. */
const ENDED = "SELECT aggregate, aggregate_id, any(outcome) AS ended FROM steps FINAL WHERE outcome != '' GROUP BY 1, 2";

/** Why things did not go well. One event may have several reasons, one story several such events. */
export interface FailureLine {
  readonly domain: string;
  readonly type: string;
  readonly reason: string;
  readonly times: number;
  readonly stories: number;
}

export async function failures(clickhouse: ClickHouse, span: Span): Promise<FailureLine[]> {
  const { where, parameters } = conditionOf(span);
  const rows = await clickhouse.select<{ domain: string; type: string; reason: string; times: string; stories: string }>(
    `SELECT aggregate AS domain, type, reason, count() AS times, uniqExact(aggregate_id) AS stories
     FROM failures FINAL ARRAY JOIN reasons AS reason WHERE ${where} GROUP BY 1, 2, 3 ORDER BY domain, times DESC, type, reason LIMIT ${LINES_MAX}`, parameters);
  return rows.map((row) => ({ ...row, times: Number(row.times), stories: Number(row.stories) }));
}

/** What was earned on each day, UTC: decimal text in units. */
export interface RevenueLine {
  readonly domain: string;
  readonly day: string;
  readonly amount: string;
  readonly stories: number;
}

export async function revenue(clickhouse: ClickHouse, span: Span): Promise<RevenueLine[]> {
  const { where, parameters } = conditionOf(span);
  const rows = await clickhouse.select<{ domain: string; day: string; amount: string; stories: string }>(
    `SELECT aggregate AS domain, toString(toDate32(time)) AS day, toDecimalString(sum(amount), 2) AS amount, uniqExact(aggregate_id) AS stories
     FROM revenue FINAL WHERE ${where} GROUP BY 1, 2 ORDER BY day DESC, domain LIMIT ${LINES_MAX}`, parameters);
  return rows.map((row) => ({ ...row, stories: Number(row.stories) }));
}

/** Pieces of a product that were set aside for stories, set free again, went out with those that ended well, and are still held. */
export interface StockLine {
  readonly domain: string;
  readonly product: string;
  readonly reserved: number;
  readonly released: number;
  readonly sold: number;
  readonly held: number;
  readonly stories: number;
}

export async function stockTurns(clickhouse: ClickHouse, span: Span): Promise<StockLine[]> {
  const { where, parameters } = conditionOf(span);
  const rows = await clickhouse.select<{ domain: string; product: string; reserved: string; released: string; sold: string; stories: string }>(
    `SELECT m.aggregate AS domain, m.product AS product, sum(m.reserved) AS reserved, sum(m.released) AS released,
       sumIf(m.reserved - m.released, e.ended = 'good') AS sold, uniqExact(m.aggregate_id) AS stories
     FROM (SELECT aggregate, aggregate_id, product, reserved, released FROM stock_moves FINAL WHERE ${where}) AS m
     LEFT JOIN (${ENDED}) AS e ON e.aggregate = m.aggregate AND e.aggregate_id = m.aggregate_id
     GROUP BY 1, 2 ORDER BY sold DESC, domain, product LIMIT ${LINES_MAX}`, parameters);
  return rows.map(({ domain, product, ...row }) => {
    const [reserved, released, sold] = [Number(row.reserved), Number(row.released), Number(row.sold)];
    return { domain, product, reserved, released, sold, held: reserved - released - sold, stories: Number(row.stories) };
  });
}

/** When one aggregate reached each version. */
export interface StoryTimes {
  readonly domain: string;
  readonly outcome: string;
  /** From the first event, which is when it was accepted, to the last, ms. */
  readonly elapsedMs: number;
  readonly events: readonly { readonly version: number; readonly type: string; readonly at: string; readonly sinceFirstMs: number }[];
}

/** One for each domain that knows the id, as a rule one. */
export async function storyTimes(clickhouse: ClickHouse, id: string): Promise<StoryTimes[]> {
  const rows = await clickhouse.select<{ domain: string; version: number; type: string; ms: string; outcome: string }>(
    `SELECT aggregate AS domain, version, type, toUnixTimestamp64Milli(time) AS ms, outcome FROM steps FINAL
     WHERE aggregate IN {names: Array(String)} AND aggregate_id = {id: String} ORDER BY aggregate, version LIMIT ${LINES_MAX}`,
    { names: TELLERS.map(({ name }) => name), id });
  return [...new Set(rows.map(({ domain }) => domain))].map((domain) => {
    const own = rows.filter((row) => row.domain === domain);
    const first = Number(own[0]?.ms ?? 0);
    const events = own.map(({ version, type, ms }) => ({ version, type, at: new Date(Number(ms)).toISOString(), sinceFirstMs: Number(ms) - first }));
    return { domain, outcome: own.find(({ outcome }) => outcome !== '')?.outcome ?? 'open', elapsedMs: events.at(-1)?.sinceFirstMs ?? 0, events };
  });
}
