import type { ClickHouse } from '../analytics/clickhouse';
import { instantOf } from '../analytics/event';
import type { Queryable } from '../facts/postgres';
import type { FencedProducer } from '../kafka/fenced';
import { dueStatement, handfuls, readDue, type Due, type Look } from './looks';
import { windowsLooked, windowsPublished } from './metrics';
import { recordOfResult } from './record';
import { keepResults, markPublished, resultsOf, unclosed, unpublished, type Result } from './results';
import { closeWindow, sayWindow } from './say';
import { readComputed, windowsStatement } from './statement';
import { windowStreams, type Stream } from './streams';
import { EVENT_ROWS, LOOKS, REVISIONS } from './tables';
import type { TopicEnds } from './topics';

/** Windows of a stream that one round looks at, at most: half a day of minutes. */
const DUE_MAX = 720;
/** Rows of the log that are computed together, unless one window has more. */
const ROWS_MAX = 200_000;
/** A round that has taken this long says what it has and leaves the rest to the next, ms. */
const ROUND_MS = 5_000;
/** Records of one transaction. */
const SEND_MAX = 500;

export interface RoundDeps {
  /** The connection that holds the lock: with the lock, everything that is written by it is lost. */
  readonly session: Queryable;
  readonly clickhouse: ClickHouse;
  readonly producer: FencedProducer;
  readonly ends: TopicEnds;
  readonly latenessMs: number;
}

/**
 * One round: looks at every window that is due, writes down what is new, sends it, and only then remembers that it has
 * looked. Cut short anywhere it is done again, and what was written down goes out as it was.
 * @returns how many revisions went out
 */
export async function round(deps: RoundDeps): Promise<number> {
  const { session, clickhouse, latenessMs } = deps;
  const until = Date.now() + ROUND_MS;
  const streams = windowStreams();
  const looks: Look[] = [];
  const said: Result[] = [];
  for (const stream of streams) {
    const due = (await clickhouse.select<Parameters<typeof readDue>[0]>(dueStatement(stream, EVENT_ROWS, LOOKS, DUE_MAX))).map(readDue);
    for (const handful of handfuls(due, stream.sizeMs, ROWS_MAX)) {
      if (Date.now() > until) break;
      const found = await look(deps, stream, handful);
      looks.push(...found.looks);
      said.push(...found.results);
    }
  }
  await keepResults(session, said, latenessMs, false);
  const closing = (await unclosed(session, streams.map(({ topic }) => topic), SEND_MAX)).map(({ window }) => closeWindow(window, Date.now()));
  await keepResults(session, closing, latenessMs, false);
  const sent = await publish(deps);
  await remember(clickhouse, [...said, ...closing], looks);
  return sent;
}

/** Computes some windows and says what is new of them. */
async function look({ session, clickhouse, latenessMs }: RoundDeps, stream: Stream, due: readonly Due[]): Promise<{ looks: Look[]; results: Result[] }> {
  const lookedAt = instantOf(Date.now());
  const rows = await clickhouse.select<Record<string, unknown>>(windowsStatement(stream, EVENT_ROWS, due.map(({ startMs }) => startMs)));
  const computed = new Map(rows.map((row) => readComputed(stream, row)).map((one) => [one.startMs, one]));
  const before = await resultsOf(session, stream.topic, due.map(({ startMs }) => new Date(startMs).toISOString()));
  const looks: Look[] = [];
  const results: Result[] = [];
  for (const { startMs, mark, tornSince } of due) {
    const found = computed.get(startMs);
    looks.push({ stream: stream.topic, start: String(startMs), mark, incomplete: found?.incomplete ?? 0, torn_since: tornSince ?? lookedAt, looked_at: lookedAt });
    // Of its rows none counts any more: another one of the same version, with another time, was on Kafka first.
    if (!found) continue;
    const verdict = sayWindow(stream, found, before.get(new Date(startMs).toISOString())?.window, Date.now(), latenessMs);
    windowsLooked.inc({ stream: stream.topic, verdict: verdict.kind });
    if (verdict.kind === 'new') results.push(verdict.result);
  }
  return { looks, results };
}

/** Sends what was written down and not sent yet, in whatever order: of a window there is one revision at a time. */
async function publish({ session, producer, ends }: RoundDeps): Promise<number> {
  for (let sent = 0; ;) {
    const results = await unpublished(session, SEND_MAX);
    if (results.length === 0) return sent;
    await producer.send(results.map(recordOfResult));
    await ends.grown(session, results.length);
    await markPublished(session, results);
    for (const { window } of results) windowsPublished.inc({ stream: window.stream });
    sent += results.length;
  }
}

/** What readers of ClickHouse see, and then that it was seen. */
async function remember(clickhouse: ClickHouse, results: readonly Result[], looks: readonly Look[]): Promise<void> {
  await showInClickHouse(clickhouse, results);
  if (looks.length > 0) await clickhouse.insert(LOOKS, looks);
}

export async function showInClickHouse(clickhouse: ClickHouse, results: readonly Result[]): Promise<void> {
  if (results.length === 0) return;
  const rows = results.map(({ window: { stream, start, end, revision, closed, events }, text }) => ({
    stream, start: instantOf(start), end: instantOf(end), revision, closed, events, value: text,
  }));
  await clickhouse.insert(REVISIONS, rows);
}
