import pino, { type Logger } from 'pino';
import type { Config } from './config';
import { boundedFile } from './logging/file';
import { PRINTED } from './logging/print';
import { traceFields } from './tracing/current';

export type { Logger } from 'pino';

export type LogSettings = Pick<Config, 'LOG_LEVEL'> & { readonly LOG_FILE?: string | undefined; readonly LOG_FORMAT?: Config['LOG_FORMAT'] };

/**
 * Lines of JSON, each with `time`, `level`, `process` and `msg`; to a file where one is named, which is kept bounded,
 * else to standard output, where they are printed for people if that is a terminal or LOG_FORMAT says so. Secrets
 * print as `***` by their type.
 */
export function openLog(config: LogSettings, process: string): Logger {
  const options: pino.LoggerOptions = {
    level: config.LOG_LEVEL,
    base: { process },
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label) => ({ level: label }) },
    // A line about a story names its trace itself; any other has that of the code that runs.
    mixin: () => traceFields() ?? {},
    serializers: { error: pino.stdSerializers.err },
  };
  if (config.LOG_FILE) return pino(options, boundedFile(config.LOG_FILE));
  return isPretty(config) ? pino({ ...options, transport: { target: 'pino-pretty', options: PRINTED } }) : pino(options);
}

function isPretty({ LOG_LEVEL, LOG_FORMAT = 'auto' }: LogSettings): boolean {
  // A silent log needs no thread of its own to print it.
  return LOG_LEVEL !== 'silent' && (LOG_FORMAT === 'auto' ? Boolean(process.stdout.isTTY) : LOG_FORMAT === 'pretty');
}
