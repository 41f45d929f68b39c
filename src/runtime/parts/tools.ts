import { spawn } from 'node:child_process';
import { accessSync, constants, existsSync, readdirSync, statSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { createInterface } from 'node:readline';
import { FazendaError } from '../../errors';
import { signalGroup } from '../identity';

const OUTPUT_LINES_KEPT = 400;
const OUTPUT_LINES_SHOWN = 12;

export interface RunOptions {
  readonly cwd?: string;
  readonly env?: NodeJS.ProcessEnv;
  readonly uid?: number | undefined;
  readonly gid?: number | undefined;
  readonly input?: string;
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
  /** Called with each line it prints, to show progress. */
  readonly onLine?: (line: string) => void;
}

/** The first executable of this name on PATH. */
export function which(name: string, env: NodeJS.ProcessEnv): string | undefined {
  return (env.PATH ?? '').split(delimiter).filter((folder) => folder !== '').map((folder) => join(folder, name)).find(isExecutable);
}

export function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false; // Neither our fault nor news: it is not there, or not for us.
  }
}

/**
 * Runs a command to its end and gives what it printed, both streams in one.
 * Errors: FZ_PART_UNAVAILABLE with its last lines when it fails, is not there or takes too long.
 */
export async function run(command: string, args: readonly string[], options: RunOptions = {}): Promise<string> {
  options.signal?.throwIfAborted();
  const lines: string[] = [];
  const child = spawn(command, args, {
    cwd: options.cwd,
    env: options.env ?? process.env,
    ...(options.uid === undefined ? {} : { uid: options.uid }),
    ...(options.gid === undefined ? {} : { gid: options.gid }),
    detached: true, // Its own group, so that giving up also ends the compilers it started.
    stdio: 'pipe',
  });
  let given: string | undefined;
  const giveUp = (why: string): void => {
    given ??= why;
    if (child.pid !== undefined) signalGroup(child.pid, 'SIGKILL');
  };
  const onAbort = (): void => giveUp('was given up');
  options.signal?.addEventListener('abort', onAbort);
  const timer = options.timeoutMs === undefined ? undefined : setTimeout(() => giveUp(`took more than ${options.timeoutMs} ms`), options.timeoutMs);
  for (const stream of [child.stdout, child.stderr]) {
    createInterface({ input: stream }).on('line', (line) => {
      lines.push(line);
      if (lines.length > OUTPUT_LINES_KEPT) lines.shift();
      if (line.trim() !== '') options.onLine?.(line.trim());
    });
  }
  child.stdin.on('error', () => undefined); // A command that ends without reading its input is judged by its exit code.
  child.stdin.end(options.input ?? '');
  const ended = await new Promise<string | undefined>((resolve) => {
    child.once('error', (error) => resolve(error.message));
    child.once('close', (code, signal) => resolve(code === 0 ? undefined : `ended with ${signal ?? `code ${code}`}`));
  });
  clearTimeout(timer);
  options.signal?.removeEventListener('abort', onAbort);
  options.signal?.throwIfAborted();
  if (ended !== undefined) {
    throw new FazendaError('FZ_PART_UNAVAILABLE', `${command} ${args.slice(0, 2).join(' ')} ${given ?? ended}: ${lines.slice(-OUTPUT_LINES_SHOWN).join('\n')}`);
  }
  return lines.join('\n');
}

/** Its version as numbers, from the first `1.2` or `1.2.3` that it prints; undefined if it cannot say. */
export async function versionOf(command: string, args: readonly string[], env: NodeJS.ProcessEnv, pattern = /(\d+)\.(\d+)(?:\.(\d+))?/): Promise<number[] | undefined> {
  try {
    const match = pattern.exec(await run(command, args, { env, timeoutMs: 20_000 }));
    return match?.slice(1).map((digits) => Number(digits ?? 0));
  } catch (thrown) {
    // Found but unusable is as good as not found: the next way is tried.
    if (thrown instanceof FazendaError) return undefined;
    throw thrown;
  }
}

/** True when `version` is at least `wanted`, compared number by number. */
export function isAtLeast(version: readonly number[] | undefined, wanted: readonly number[]): boolean {
  if (version === undefined) return false;
  const index = wanted.findIndex((number, at) => (version[at] ?? 0) !== number);
  return index === -1 || (version[index] ?? 0) > (wanted[index] ?? 0);
}

/** A `java` of at least this major version: JAVA_HOME, PATH, then the usual folders of the system. */
export async function findJava(majorMin: number, env: NodeJS.ProcessEnv): Promise<string | undefined> {
  const jvms = '/usr/lib/jvm';
  const installed = existsSync(jvms) ? readdirSync(jvms).map((name) => join(jvms, name, 'bin/java')) : [];
  const candidates = [env.JAVA_HOME === undefined ? undefined : join(env.JAVA_HOME, 'bin/java'), which('java', env), ...installed];
  for (const path of candidates) {
    if (path === undefined || !isExecutable(path)) continue;
    if (isAtLeast(await versionOf(path, ['-version'], env, /version "(\d+)/), [majorMin])) return path;
  }
  return undefined;
}
