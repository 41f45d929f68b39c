import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { FazendaError, textOf } from '../errors';
import { LOG_BYTES_MAX, rotateLog, shortenLog } from '../logging/file';
import { identityOf, isErrno, signalGroup } from './identity';

const LOG_TAIL_CHARACTERS = 1_500;
/** How often a log is looked at that may have grown too large, ms. Our own processes bound theirs themselves, and sooner. */
const LOG_LOOK_EVERY_MS = 30_000;
const PROBE_POLL_MS = 100;
const BACKOFF_FIRST_MS = 200;
const BACKOFF_MAX_MS = 5_000;
/** A child that lived this long was well, so that its next fall starts the back-off anew. */
const SETTLED_MS = 30_000;

/** How to run one thing and know that it runs. */
export interface ChildSpec {
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly env: NodeJS.ProcessEnv;
  readonly cwd?: string;
  readonly uid?: number;
  readonly gid?: number;
  readonly logFile: string;
  readonly stopSignal: NodeJS.Signals;
  /** After this long the whole group gets SIGKILL. */
  readonly stopTimeoutMs: number;
  readonly readyTimeoutMs: number;
  /** Asked again and again until true; `'message'` waits for `process.send({ready: true})` instead. */
  readonly ready: 'message' | (() => Promise<boolean>);
}

export type ChildEvent = { kind: 'died' | 'restarted' | 'slow'; name: string; text: string };

/** One child process that is kept alive: whoever kills it sees it come back, with back-off, until `stop()`. */
export class SupervisedChild {
  private child: ChildProcess | undefined;
  private stopping = false;
  private keeper: Promise<void> | undefined;
  private shortening: NodeJS.Timeout | undefined;
  private readonly wake = new AbortController();

  constructor(
    readonly spec: ChildSpec,
    private readonly runFile: string,
    private readonly onEvent: (event: ChildEvent) => void,
  ) {}

  get pid(): number | undefined {
    return this.child?.pid;
  }

  /** Resolves once it is ready. Errors: FZ_PROCESS_UNREADY with the end of its log when the first try fails. */
  async start(signal?: AbortSignal): Promise<void> {
    rotateLog(this.spec.logFile);
    this.shortening = setInterval(() => this.shorten(), LOG_LOOK_EVERY_MS).unref();
    const first = this.launch();
    if (!(await this.becomesReady(first, signal))) {
      const ended = first.ended ?? `not ready after ${this.spec.readyTimeoutMs / 1000} s`;
      await this.stop();
      throw new FazendaError('FZ_PROCESS_UNREADY', `${this.spec.name}: ${ended}. ${this.spec.logFile} ends with:\n${tail(this.spec.logFile)}\n`);
    }
    this.keeper = this.keep(first);
  }

  /** Sends a signal to the process itself and not to its group, as a crash would hit it. */
  kill(signal: NodeJS.Signals = 'SIGKILL'): void {
    this.child?.kill(signal);
  }

  /** Ends it in order, by force after `stopTimeoutMs`, and waits until it is gone. */
  async stop(stopTimeoutMs = this.spec.stopTimeoutMs): Promise<void> {
    this.stopping = true;
    this.wake.abort();
    clearInterval(this.shortening);
    const child = this.child;
    if (child?.pid !== undefined && child.exitCode === null && child.signalCode === null) {
      const gone = new Promise<void>((resolve) => child.once('exit', () => resolve()));
      child.kill(this.spec.stopSignal);
      const { pid } = child;
      const force = setTimeout(() => signalGroup(pid, 'SIGKILL'), stopTimeoutMs);
      await gone;
      clearTimeout(force);
      signalGroup(pid, 'SIGKILL'); // What it may have left in its group.
    }
    await this.keeper;
    rmSync(this.runFile, { force: true });
  }

  private async keep(first: Launched): Promise<void> {
    let launched = first;
    let backoffMs = BACKOFF_FIRST_MS;
    while (true) {
      await launched.gone;
      if (this.stopping) return;
      if (Date.now() - launched.at > SETTLED_MS) backoffMs = BACKOFF_FIRST_MS;
      this.tell('died', `${launched.ended}; starting it again`);
      await this.pause(backoffMs);
      if (this.stopping) return;
      backoffMs = Math.min(backoffMs * 2, BACKOFF_MAX_MS);
      launched = this.relaunch();
      if (await this.becomesReady(launched)) {
        this.tell('restarted', 'is back');
      } else if (!this.stopping && launched.ended === undefined) {
        this.tell('slow', `is not ready after ${this.spec.readyTimeoutMs / 1000} s; starting it again`);
        this.kill('SIGKILL');
      }
    }
  }

  /** A disk that is full for other reasons must not cost us the supervisor. */
  private shorten(): void {
    try {
      shortenLog(this.spec.logFile, 2 * LOG_BYTES_MAX);
    } catch (thrown) {
      this.tell('slow', `has a log that cannot be shortened: ${textOf(thrown)}`);
    }
  }

  private tell(kind: ChildEvent['kind'], text: string): void {
    this.onEvent({ kind, name: this.spec.name, text: `${this.spec.name} ${text}` });
  }

  /** A machine that is out of processes, files or disk for a while must not cost us the supervisor. */
  private relaunch(): Launched {
    try {
      return this.launch();
    } catch (thrown) {
      return { at: Date.now(), gone: Promise.resolve(), ended: `could not be started: ${textOf(thrown)}`, said: false };
    }
  }

  private launch(): Launched {
    const { command, args, env, cwd, uid, gid, logFile, ready } = this.spec;
    mkdirSync(dirname(logFile), { recursive: true });
    const log = openSync(logFile, 'a', 0o600);
    const child = spawn(command, args, {
      env,
      // A group of its own: a Ctrl-C in the terminal reaches the supervisor alone, which stops all in order.
      detached: true,
      stdio: ['ignore', log, log, ...(ready === 'message' ? (['ipc'] as const) : [])],
      ...(cwd === undefined ? {} : { cwd }),
      ...(uid === undefined ? {} : { uid }),
      ...(gid === undefined ? {} : { gid }),
    });
    closeSync(log);
    this.child = child;
    const launched: Launched = { at: Date.now(), gone: Promise.resolve(), ended: undefined, said: false };
    launched.gone = new Promise((resolve) => {
      child.once('exit', (code, signal) => {
        launched.ended = signal === null ? `exited with code ${code}` : `was ended by ${signal}`;
        resolve();
      });
      child.once('error', (error) => {
        launched.ended ??= `could not be started: ${error.message}`;
        if (child.pid === undefined) resolve();
      });
    });
    child.on('message', (message: unknown) => {
      if (typeof message === 'object' && message !== null && 'ready' in message && message.ready === true) launched.said = true;
    });
    if (child.pid !== undefined) {
      writeFileSync(this.runFile, JSON.stringify({ ...identityOf(child.pid), name: this.spec.name, stopSignal: this.spec.stopSignal }));
    }
    return launched;
  }

  private async becomesReady(launched: Launched, signal?: AbortSignal): Promise<boolean> {
    const deadline = launched.at + this.spec.readyTimeoutMs;
    while (launched.ended === undefined && !this.stopping && Date.now() < deadline) {
      signal?.throwIfAborted();
      if (this.spec.ready === 'message' ? launched.said : await this.spec.ready()) return true;
      await Promise.race([sleep(PROBE_POLL_MS), launched.gone]);
    }
    return false;
  }

  private async pause(durationMs: number): Promise<void> {
    await sleep(durationMs, undefined, { signal: this.wake.signal }).catch((thrown: unknown) => {
      if (!this.wake.signal.aborted) throw thrown;
    });
  }
}

interface Launched {
  readonly at: number;
  gone: Promise<void>;
  ended: string | undefined;
  said: boolean;
}

/** The end of a log, for messages. */
export function tail(path: string): string {
  try {
    return readFileSync(path, 'utf8').slice(-LOG_TAIL_CHARACTERS).trim() || '(an empty log)';
  } catch (thrown) {
    if (isErrno(thrown, 'ENOENT')) return '(no log)';
    throw thrown;
  }
}
