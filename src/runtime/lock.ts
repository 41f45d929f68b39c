import { randomUUID } from 'node:crypto';
import { linkSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { isErrno, isRunning, ownIdentity, parseIdentity, type ProcessIdentity } from './identity';

const POLL_MS = 200;

/** Gives a lock back. May be called twice. */
export type Unlock = () => void;

/**
 * Takes a lock file if nobody alive holds it; undefined otherwise. The file names its holder, so that a
 * lock outlives no process: one killed with -9 leaves a file that the next caller sees through.
 */
export function tryLock(path: string): Unlock | undefined {
  mkdirSync(dirname(path), { recursive: true });
  const token = `${path}.${randomUUID()}`;
  // Written whole, then linked: nobody can read a half-written lock, and link() fails where one exists.
  writeFileSync(token, JSON.stringify(ownIdentity()), { mode: 0o600 });
  try {
    for (let attempt = 0; attempt < 3; attempt += 1) {
      if (link(token, path)) return () => rmSync(path, { force: true });
      if (!removeIfStale(path)) return undefined;
    }
    return undefined;
  } finally {
    rmSync(token, { force: true });
  }
}

/** Who holds the lock, if anybody alive does. */
export function lockHolder(path: string): ProcessIdentity | undefined {
  const holder = read(path);
  return holder !== undefined && isRunning(holder) ? holder : undefined;
}

/** Runs `work` with the lock held, waiting for it as long as its holder lives, or until `signal` aborts. */
export async function withLock<T>(path: string, work: () => Promise<T>, options: { signal?: AbortSignal | undefined; onWait?: () => void } = {}): Promise<T> {
  let unlock = tryLock(path);
  if (unlock === undefined) options.onWait?.();
  while (unlock === undefined) {
    await sleep(POLL_MS, undefined, options.signal === undefined ? {} : { signal: options.signal });
    unlock = tryLock(path);
  }
  try {
    return await work();
  } finally {
    unlock();
  }
}

function link(from: string, to: string): boolean {
  try {
    linkSync(from, to);
    return true;
  } catch (thrown) {
    if (isErrno(thrown, 'EEXIST')) return false;
    throw thrown;
  }
}

function read(path: string): ProcessIdentity | undefined {
  try {
    return parseIdentity(readFileSync(path, 'utf8'));
  } catch (thrown) {
    if (isErrno(thrown, 'ENOENT')) return undefined;
    throw thrown;
  }
}

/** True when the way is free to try again. The rename lets only one of several finders clear a dead lock. */
function removeIfStale(path: string): boolean {
  if (lockHolder(path) !== undefined) return false;
  const aside = `${path}.stale-${randomUUID()}`;
  try {
    renameSync(path, aside);
  } catch (thrown) {
    if (isErrno(thrown, 'ENOENT')) return true;
    throw thrown;
  }
  const moved = read(aside);
  // Between look and rename another may have taken the lock afresh: put it back where it was.
  if (moved !== undefined && isRunning(moved)) link(aside, path);
  rmSync(aside, { force: true });
  return true;
}
