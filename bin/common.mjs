import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir, userInfo } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = dirname(dirname(fileURLToPath(import.meta.url)));

const POLL_MS = 200;

/** A fault that is told in one line, without a stack: `FZ_CODE: what happened. What to do next.` */
export class Failure extends Error {}

export function sha256(bytes) {
  return createHash('sha256').update(bytes).digest('hex');
}

/** A file's JSON; undefined where it is not there or was torn by a crash, as either means: do it anew. */
export function readJson(path) {
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch (thrown) {
    if (thrown instanceof SyntaxError || thrown.code === 'ENOENT') return undefined;
    throw thrown;
  }
}

/**
 * Runs `work` while no other process installs or builds this checkout. A folder is made or not made in one
 * step; one whose owner died is removed.
 */
export function alone(work) {
  const lock = join(tmpdir(), `fazenda-build-${userInfo().uid}-${sha256(root).slice(0, 12)}`);
  let told = false;
  while (!tryLock(lock)) {
    if (!told) console.error('Waiting for another build of this checkout …');
    told = true;
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, POLL_MS);
  }
  try {
    return work();
  } finally {
    rmSync(lock, { recursive: true, force: true });
  }
}

function tryLock(lock) {
  const owner = join(lock, 'pid');
  try {
    mkdirSync(lock);
    writeFileSync(owner, String(process.pid));
    return true;
  } catch (thrown) {
    if (thrown.code !== 'EEXIST') throw thrown;
  }
  const pid = readJson(owner);
  // An owner that has not yet signed has at most some milliseconds to go: looked at again at the next turn.
  if (pid !== undefined && !isRunning(pid)) rmSync(lock, { recursive: true, force: true });
  return false;
}

function isRunning(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (thrown) {
    return thrown.code === 'EPERM';
  }
}
