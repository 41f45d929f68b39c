import { readdirSync, readFileSync } from 'node:fs';
import { isErrno } from '../../src/runtime/identity';

/** Clock ticks of `/proc` a second; 100 on every Linux that Node runs on. Source: proc(5), `utime`. */
const TICKS_PER_SECOND = 100;

interface Process {
  readonly parent: number;
  readonly ticks: number;
}

/**
 * CPU that each of these trees of processes has used since it began, ms, user and system, the dead that were
 * waited for included. Undefined where there is no /proc.
 */
export function cpuMsByTree(roots: Readonly<Record<string, number>>): Record<string, number> | undefined {
  if (process.platform !== 'linux') return undefined;
  const all = everyProcess();
  const children = new Map<number, number[]>();
  for (const [pid, { parent }] of all) children.set(parent, [...(children.get(parent) ?? []), pid]);
  const ticksOf = (pid: number): number => (all.get(pid)?.ticks ?? 0) + (children.get(pid) ?? []).reduce((sum, child) => sum + ticksOf(child), 0);
  return Object.fromEntries(Object.entries(roots).map(([name, pid]) => [name, (ticksOf(pid) * 1_000) / TICKS_PER_SECOND]));
}

function everyProcess(): Map<number, Process> {
  const found = new Map<number, Process>();
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    const one = look(Number(name));
    if (one) found.set(Number(name), one);
  }
  return found;
}

function look(pid: number): Process | undefined {
  let stat: string;
  try {
    stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  } catch (thrown) {
    if (isErrno(thrown, 'ENOENT') || isErrno(thrown, 'ESRCH')) return undefined; // It ended between the two looks.
    throw thrown;
  }
  // The second field is the program's name in parentheses and may hold spaces: count from its end.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ').map(Number);
  const [parent, utime, stime, cutime, cstime] = [fields[1], fields[11], fields[12], fields[13], fields[14]];
  return { parent: parent ?? 0, ticks: (utime ?? 0) + (stime ?? 0) + (cutime ?? 0) + (cstime ?? 0) };
}
