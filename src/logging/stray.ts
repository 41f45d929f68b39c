import { format } from 'node:util';
import type { Logger } from '../log';

/**
 * What libraries and Node itself print becomes a line like any other, so that whoever reads a log as JSON can. What a
 * dying runtime prints on its own, out of memory, stays as it is.
 */
export function takeStrayLines(log: Logger): void {
  const stray = log.child({ stray: true });
  const levels = { log: 'info', info: 'info', debug: 'debug', trace: 'debug', warn: 'warn', error: 'error' } as const;
  for (const [name, level] of Object.entries(levels) as [keyof typeof levels, (typeof levels)[keyof typeof levels]][]) {
    console[name] = (...said: unknown[]) => stray[level](format(...said));
  }
  // Its first listener prints it to standard error.
  process.removeAllListeners('warning');
  process.on('warning', (warning) => stray.warn({ err: warning }, warning.message));
}
