import pino, { type Logger } from 'pino';
import type { Config } from './config';

export type { Logger } from 'pino';

/** JSON lines, to a file where one is named, else to standard output. Secrets print as `***` by their type. */
export function openLog(config: Pick<Config, 'LOG_LEVEL' | 'LOG_FILE'>, process: string): Logger {
  const options: pino.LoggerOptions = {
    level: config.LOG_LEVEL,
    base: { process },
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label) => ({ level: label }) },
  };
  return config.LOG_FILE ? pino(options, pino.destination({ dest: config.LOG_FILE, mkdir: true, sync: true })) : pino(options);
}
