import { readFileSync } from 'node:fs';
import { spawnSync } from 'node:child_process';

/**
 * A process that cannot be mistaken for another. A pid alone is given to a new process once its owner
 * is gone, so the instant it started goes with it.
 */
export interface ProcessIdentity {
  readonly pid: number;
  /** Opaque; only compared for equality. Clock ticks since boot on Linux, a date elsewhere. */
  readonly startedAt: string;
}

/** Who runs under this pid now; undefined when nobody does, or only a zombie that awaits its parent. */
export function identityOf(pid: number): ProcessIdentity | undefined {
  const startedAt = process.platform === 'linux' ? startOnLinux(pid) : startByPs(pid);
  return startedAt === undefined ? undefined : { pid, startedAt };
}

/** True while this very process, and not a later one with its pid, is running. */
export function isRunning(who: ProcessIdentity): boolean {
  return identityOf(who.pid)?.startedAt === who.startedAt;
}

/** The identity of the calling process. */
export function ownIdentity(): ProcessIdentity {
  return identityOf(process.pid) ?? { pid: process.pid, startedAt: 'unknown' };
}

/** Reads what `JSON.stringify(identity)` wrote; undefined for anything else, such as a file torn by a crash. */
export function parseIdentity(text: string): ProcessIdentity | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined; // The record's own fault: a torn file names nobody.
  }
  if (typeof value !== 'object' || value === null || !('pid' in value) || !('startedAt' in value)) return undefined;
  const { pid, startedAt } = value;
  return typeof pid === 'number' && typeof startedAt === 'string' ? { pid, startedAt } : undefined;
}

/**
 * Sends a signal to a process and its group, as parts and processes are started in groups of their own.
 * Does nothing where they have gone already.
 */
export function signalGroup(pid: number, signal: NodeJS.Signals): void {
  for (const target of [-pid, pid]) {
    try {
      process.kill(target, signal);
      return;
    } catch (thrown) {
      if (!isErrno(thrown, 'ESRCH')) throw thrown;
    }
  }
}

/** True for a Node system error with this code; by its shape, as under jest it is another realm's Error. */
export function isErrno(thrown: unknown, code: string): boolean {
  return typeof thrown === 'object' && thrown !== null && 'code' in thrown && thrown.code === code;
}

function startOnLinux(pid: number): string | undefined {
  let stat: string;
  try {
    stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  } catch (thrown) {
    if (isErrno(thrown, 'ENOENT') || isErrno(thrown, 'ESRCH')) return undefined;
    throw thrown;
  }
  // The second field is the program's name in parentheses and may hold spaces: count from its end.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return fields[0] === 'Z' || fields[0] === 'X' ? undefined : fields[19];
}

function startByPs(pid: number): string | undefined {
  const { status, stdout } = spawnSync('ps', ['-o', 'stat=,lstart=', '-p', String(pid)], { encoding: 'utf8' });
  const [state, ...date] = stdout.trim().split(/\s+/);
  return status === 0 && state !== undefined && !state.startsWith('Z') ? date.join(' ') : undefined;
}
