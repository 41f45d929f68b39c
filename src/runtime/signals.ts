import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { isErrno, isRunning, parseIdentity, signalGroup } from './identity';

/** A signal to npm's group arrives twice, from the terminal and from npm itself: so near, they are one. */
const SAME_SIGNAL_MS = 500;
const STOP_SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
const EXIT_CODE_FORCED = 130;

/** Aborts at the first signal to stop. `onSecond` runs at the next one, then the process ends at once. */
export function listenForStop(onSecond: () => void): AbortSignal {
  const controller = new AbortController();
  let firstAt: number | undefined;
  for (const name of STOP_SIGNALS) {
    process.on(name, () => {
      if (firstAt === undefined) {
        firstAt = Date.now();
        controller.abort(new Error(`stopped by ${name}`));
      } else if (Date.now() - firstAt > SAME_SIGNAL_MS) {
        onSecond();
        process.exit(EXIT_CODE_FORCED);
      }
    });
  }
  return controller.signal;
}

/** Ends at once all that a home has running. */
export function killAll(runFolder: string): void {
  let files: string[];
  try {
    files = readdirSync(runFolder);
  } catch (thrown) {
    if (isErrno(thrown, 'ENOENT')) return;
    throw thrown;
  }
  for (const file of files) {
    const who = parseIdentity(readFileSync(join(runFolder, file), 'utf8'));
    if (who !== undefined && isRunning(who)) signalGroup(who.pid, 'SIGKILL');
  }
}
