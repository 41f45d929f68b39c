import type { PrettyOptions } from 'pino-pretty';

/** How lines stand on a terminal: when, how bad, who, what, and the rest of the fields behind it on the same line. */
export const PRINTED = {
  translateTime: 'UTC:yyyy-mm-dd"T"HH:MM:ss.l"Z"',
  messageFormat: '{process}: {msg}',
  ignore: 'process,pid,hostname',
  singleLine: true,
} as const satisfies PrettyOptions;
