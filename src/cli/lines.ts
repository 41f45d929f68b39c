import type { Step } from '../facts/folded';
import type { Path } from '../path/line';

/** How steps of a story stand on a terminal. */

const EVENT_WIDTH = 18;
const STATUS_WIDTH = 11;
const ELAPSED_WIDTH = 10;
const SAID_MAX = 160;

/** `  3  10:00:01.120    +0.08 s  ContentGenerated    validating`: elapsed since the step before. */
export function stepLine(step: Step, before: Step | undefined, says = ''): string {
  const since = before ? `+${elapsed(before.at, step.at)}` : '';
  const columns = [
    String(step.version).padStart(3), step.at.slice(11, 23), since.padStart(ELAPSED_WIDTH),
    step.event.padEnd(EVENT_WIDTH), step.status.padEnd(STATUS_WIDTH), says,
  ];
  return columns.join('  ').trimEnd();
}

/** `2026-01-01T10:00:01.120Z    +61 ms  Kafka       2 TaskAssigned is at …`: when, how long after it was accepted, who says it. */
export function pathLines(lines: Path['lines']): string[] {
  const rows = lines.map(({ at, sinceAcceptedMs: since, teller, text }) => ({
    at: at ?? '', since: since === null ? '' : `${since < 0 ? '−' : '+'}${Math.abs(since)} ms`, teller, text,
  }));
  const width = (of: (row: (typeof rows)[number]) => string): number => Math.max(0, ...rows.map((row) => of(row).length));
  const [at, since, teller] = [width((row) => row.at), width((row) => row.since), width((row) => row.teller)];
  return rows.map((row) => `  ${row.at.padEnd(at)}  ${row.since.padStart(since)}  ${row.teller.padEnd(teller)}  ${row.text}`.trimEnd());
}

/** Time between two instants, in the unit that suits it. */
export function elapsed(from: string | undefined, to: string | undefined): string {
  const ms = from === undefined || to === undefined ? 0 : Date.parse(to) - Date.parse(from);
  if (ms < 60_000) return `${(ms / 1_000).toFixed(2)} s`;
  if (ms < 3_600_000) return `${(ms / 60_000).toFixed(1)} min`;
  return `${(ms / 3_600_000).toFixed(1)} h`;
}

/** A fact's data as `name=value`, without what is null and without the id, which all facts have. */
export function dataLine(data: object, idField: string): string {
  const parts = Object.entries(data).flatMap(([name, value]) => {
    if (name === idField || value === null || value === undefined) return [];
    return [`${name}=${typeof value === 'string' ? value : JSON.stringify(value)}`];
  });
  const line = parts.join(' ').replaceAll(/\s+/g, ' ');
  return line.length > SAID_MAX ? `${line.slice(0, SAID_MAX - 1)}…` : line;
}

/** Rows in columns as wide as they need to be; numbers to the right. */
export function table(rows: readonly (readonly (string | number | bigint)[])[]): string[] {
  const widths = (rows[0] ?? []).map((_cell, column) => Math.max(...rows.map((row) => String(row[column] ?? '').length)));
  return rows.map((row) =>
    row.map((cell, column) => {
      const width = widths[column] ?? 0;
      return typeof cell === 'string' ? cell.padEnd(width) : String(cell).padStart(width);
    }).join('  ').trimEnd(),
  );
}
