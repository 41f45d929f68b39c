import type { Case, Result } from './run-case';
import { nameOf } from './load';

export interface Round {
  readonly case: Case;
  readonly result: Result;
}

const HEAD = ['job', 'load', 'entrant', 'exact', 'missing', 'double', 'unordered', 'repeated', 'a workflow', 'per s', 'CPU-ms', 'p50 ms', 'p99 ms', 'where the CPU went'];

/** The medians of each case over its rounds, side by side. A speed is shown only where every round was exact. */
export function tableOf(rounds: readonly Round[]): string {
  const groups = new Map<string, Round[]>();
  for (const round of rounds) {
    const { job, load, entrant, kills } = round.case;
    const key = [job, nameOf(load), kills, entrant].join(' ');
    groups.set(key, [...(groups.get(key) ?? []), round]);
  }
  const rows = [HEAD, ...[...groups.values()].map(rowOf)];
  const widths = HEAD.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows.map((row) => row.map((cell, column) => (column < 3 || column === 13 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0))).join('  ').trimEnd()).join('\n');
}

function rowOf(rounds: readonly Round[]): string[] {
  const [{ case: one }] = rounds as [Round];
  const sum = (of: (result: Result) => number): number => rounds.reduce((total, { result }) => total + of(result), 0);
  const allExact = rounds.every(({ result }) => result.speed !== undefined);
  const middle = (of: (result: Result) => number | undefined, digits: number): string => {
    const values = rounds.flatMap(({ result }) => of(result) ?? []);
    return allExact && values.length > 0 ? median(values).toFixed(digits) : '–';
  };
  const paced = one.load.kind === 'paced';
  return [
    one.job, `${nameOf(one.load)}${one.kills ? ' kill -9' : ''}`, one.entrant, `${sum(({ exact }) => exact)}/${sum(({ of }) => of)}`,
    ...(['missing', 'double', 'unordered', 'repeated'] as const).map((name) => String(sum((result) => result[name]))),
    middle(({ of, workflows }) => (workflows > 0 ? of / workflows : undefined), 1),
    middle(({ speed }) => speed?.perSecond, 0), middle(({ cpuMs }) => cpuMs?.total, 2),
    paced || one.kills ? middle(({ speed }) => speed?.p50Ms, 0) : '–', paced || one.kills ? middle(({ speed }) => speed?.p99Ms, 0) : '–',
    Object.keys(rounds[0]?.result.cpuMs?.by ?? {}).map((part) => `${part} ${middle(({ cpuMs }) => cpuMs?.by[part], 2)}`).join(' · '),
  ];
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 === 1 ? (sorted[middle] ?? 0) : ((sorted[middle - 1] ?? 0) + (sorted[middle] ?? 0)) / 2;
}
