import { readConfig, type Config } from './config';
import { FazendaError, textOf } from './errors';
import { openLog, type Logger } from './log';
import { openTracing } from './tracing/open';
import { takeStrayLines } from './logging/stray';

/** Work in hand gets this long to finish after a signal to stop. */
const DRAIN_MS = 8_000;

export interface Running {
  readonly config: Config;
  readonly log: Logger;
  /** Registers what has to be closed; the last registered is closed first. */
  onStop(close: () => Promise<unknown> | unknown): void;
  /** Ends the process because it cannot heal by itself; its supervisor starts another. */
  fail(reason: unknown): void;
}

/**
 * The one frame that every process lives in: read the environment, start, say "ready" to the parent,
 * and on SIGTERM, SIGINT or a vanished parent close everything in reverse and leave with 0.
 */
export async function runProcess(name: string, start: (running: Running) => Promise<void>): Promise<void> {
  let config: Config;
  try {
    config = readConfig();
  } catch (thrown) {
    if (process.stderr.isTTY) process.stderr.write(`${textOf(thrown)}\n`);
    else openLog({ LOG_LEVEL: 'fatal', LOG_FORMAT: 'json' }, name).fatal(textOf(thrown));
    process.exit(1);
  }
  const log = openLog(config, name);
  takeStrayLines(log);
  const closers: (() => Promise<unknown> | unknown)[] = [];
  let stopping = false;

  async function stop(code: number, why: string): Promise<void> {
    if (stopping) return;
    stopping = true;
    log.info({ why }, 'stopping');
    setTimeout(() => process.exit(code), DRAIN_MS).unref();
    for (const close of closers.reverse()) {
      try {
        await close();
      } catch (thrown) {
        log.warn({ err: thrown }, 'closing failed; going on with the rest');
      }
    }
    log.info('stopped');
    process.exit(code);
  }

  process.on('SIGTERM', () => void stop(0, 'SIGTERM'));
  process.on('SIGINT', () => void stop(0, 'SIGINT'));
  if (process.send) process.on('disconnect', () => void stop(0, 'the supervisor is gone'));
  process.on('unhandledRejection', (reason) => fail(reason));
  process.on('uncaughtException', (reason) => fail(reason));

  function fail(reason: unknown): void {
    log.fatal({ err: reason }, textOf(reason));
    void stop(1, 'a fault that this process cannot heal');
  }

  try {
    const stopTracing = await openTracing(config, log, name);
    // Closed last: what the others do while they close is recorded too.
    if (stopTracing) closers.push(stopTracing);
    await start({ config, log, onStop: (close) => void closers.push(close), fail });
    process.send?.({ ready: true });
    log.info('ready');
  } catch (thrown) {
    fail(thrown);
  }
}

/** Tries until it works, with back-off, for starts that need a part which may come later. */
export async function untilItWorks<Result>(
  log: Logger, what: string, attempt: () => Promise<Result>, stopped: () => boolean = () => false,
): Promise<Result> {
  for (let waitMs = 250; ; waitMs = Math.min(waitMs * 2, 5_000)) {
    try {
      return await attempt();
    } catch (thrown) {
      if (stopped()) throw thrown;
      if (thrown instanceof FazendaError && !thrown.kind.retryable) throw thrown;
      log.warn({ err: thrown }, `${what} is not there yet; trying again in ${waitMs} ms`);
      await new Promise((resolve) => setTimeout(resolve, waitMs));
    }
  }
}
