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

/** What came of a round. */
export interface Done {
  /** True where windows are left that are due. */
  readonly left: boolean;
  /** How long ClickHouse was asked, ms. */
  readonly askedMs: number;
}

/** What a round begins with: which one it is, and whether there may be anything new. */
export interface Turn {
  readonly number: number;
  readonly looks: boolean;
}

/**
 * One round: looks at every window that is due, writes down what is new, sends it, and only then remembers that it has
 * looked. Cut short anywhere it is done again, and what was written down goes out as it was.
 *
 * Where there is more than a round can do, the streams take turns at being the first, and the latest windows at being
 * before the earliest: so none waits for ever.
 */
export async function round(deps: RoundDeps, { number, looks: looking }: Turn): Promise<Done> {
  const { session, clickhouse, latenessMs } = deps;
  const begun = performance.now();
  const streams = windowStreams();
  const looks: Look[] = [];
  const said: Result[] = [];
  let left = false;
  for (const at of looking ? streams.keys() : []) {
    const stream = streams[(at + number) % streams.length] as Stream;
    const order = number % 2 === 0 ? 'DESC' : 'ASC';
    const due = (await clickhouse.select<Parameters<typeof readDue>[0]>(dueStatement(stream, EVENT_ROWS, LOOKS, DUE_MAX, order))).map(readDue);
    left ||= due.length === DUE_MAX;
    for (const handful of handfuls(due, stream.sizeMs, ROWS_MAX)) {
      if (performance.now() - begun > ROUND_MS) {
        left = true;
        break;
      }
      const found = await look(deps, stream, handful);
      looks.push(...found.looks);
      said.push(...found.results);
    }
  }
  const askedMs = performance.now() - begun;
  await keepResults(session, said, latenessMs, false);
  const closing = (await unclosed(session, streams.map(({ topic }) => topic), SEND_MAX)).map(({ window }) => closeWindow(window, Date.now()));
  await keepResults(session, closing, latenessMs, false);
  await publish(deps);
  await remember(clickhouse, [...said, ...closing], looks);
  return { left, askedMs };
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
async function publish({ session, producer, ends }: RoundDeps): Promise<void> {
  for (;;) {
    const results = await unpublished(session, SEND_MAX);
    if (results.length === 0) return;
    await producer.send(results.map(recordOfResult));
    await ends.grown(session, results.length);
    await markPublished(session, results);
    for (const { window } of results) windowsPublished.inc({ stream: window.stream });
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
