import { Writable } from 'node:stream';
import pino from 'pino';
import { runApi } from '../../src/api/run';
import { readConfig, type Config } from '../../src/config';

/** The API as its process runs it, started and stopped in this process. */
export interface RunningApi {
  readonly url: string;
  readonly config: Config;
  /** What it logged, a line each. */
  readonly logged: readonly { readonly level: string; readonly msg: string }[];
  /** Closes in the order in which the process does: the last registered first. */
  stop(): Promise<void>;
}

export async function startApi(env: Readonly<Record<string, string>>): Promise<RunningApi> {
  const config = readConfig({ PORT: '0', ...env });
  const logged: { level: string; msg: string }[] = [];
  const sink = new Writable({
    write(line, _encoding, done) {
      logged.push(JSON.parse(String(line)) as { level: string; msg: string });
      done();
    },
  });
  const log = pino({ level: 'info', formatters: { level: (label) => ({ level: label }) } }, sink);
  const closers: (() => unknown)[] = [];
  const port = await runApi({ config, log, onStop: (close) => void closers.push(close) });
  return {
    url: `http://127.0.0.1:${port}`,
    config,
    logged,
    async stop() {
      for (const close of closers.reverse()) await close();
    },
  };
}
