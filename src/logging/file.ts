import { copyFileSync, renameSync, statSync, truncateSync } from 'node:fs';
import pino from 'pino';
import { isErrno } from '../runtime/identity';

/** A log of this size becomes `<name>.1`, and the `.1` before it goes: a process keeps twice as much at most. */
export const LOG_BYTES_MAX = 10 * 1024 * 1024;

/**
 * A file that lines are written to, at once and in order, so that a process that dies has said its last word.
 * @param bytesMax above this the file is put aside and a new one begun
 */
export function boundedFile(path: string, bytesMax = LOG_BYTES_MAX): ReturnType<typeof pino.destination> {
  const file = pino.destination({ dest: path, mkdir: true, sync: true, mode: 0o600 });
  let bytes = sizeOf(path);
  file.on('write', (written: number) => {
    bytes += written;
    if (bytes <= bytesMax) return;
    bytes = 0;
    renameSync(path, put(path));
    file.reopen();
  });
  return file;
}

/** Puts a log aside before somebody begins to write to it. */
export function rotateLog(path: string): void {
  if (sizeOf(path) > LOG_BYTES_MAX) renameSync(path, put(path));
}

/**
 * Puts aside what others have written to a log that they hold open: they go on at its new beginning, because it was
 * opened for appending. What they write in between the two calls is lost.
 */
export function shortenLog(path: string, bytesMax: number): void {
  if (sizeOf(path) <= bytesMax) return;
  copyFileSync(path, put(path));
  truncateSync(path);
}

function put(path: string): string {
  return `${path}.1`;
}

function sizeOf(path: string): number {
  try {
    return statSync(path).size;
  } catch (thrown) {
    if (isErrno(thrown, 'ENOENT')) return 0; // Nothing was written yet.
    throw thrown;
  }
}
