import { resolve } from 'node:path';
import { FazendaError, textOf } from '../../errors';
import { Home } from '../home';
import { PortBook } from '../ports';
import { clickhouse } from './clickhouse';
import { kafka } from './kafka';
import type { Endpoints, Part, PartContext, PartName } from './part';
import { postgres } from './postgres';
import { rabbitmq } from './rabbitmq';
import { registry } from './registry';
import { redis } from './redis';
import { obtain, runPart, STOP_TIMEOUT_MS, type RunningPart } from './running';
import { s3 } from './s3';
import { temporal } from './temporal';

export type { Endpoints, PartName } from './part';

/** What happens to the parts of a start, for whoever shows it. */
export interface PartEvent {
  readonly part: PartName;
  readonly kind: 'step' | 'ready' | 'missing' | 'failed' | 'died' | 'restarted' | 'slow';
  readonly text: string;
}

export interface StartPartsOptions {
  /** Absolute, or relative to the working folder; made if it is not there. */
  readonly home: string;
  readonly parts: readonly PartName[];
  /** Those of them without which the rest is started all the same; one that the environment names is never left out. */
  readonly optional?: readonly PartName[];
  readonly env: NodeJS.ProcessEnv;
  /** Search attributes that Temporal registers, name to type (`Keyword`, `KeywordList`, `Int` …). */
  readonly searchAttributes?: Readonly<Record<string, string>>;
  readonly onEvent?: (event: PartEvent) => void;
  /** Gives the start up: what was started is stopped, and the promise rejects with the signal's reason. */
  readonly signal?: AbortSignal;
}

export interface RunningParts {
  readonly home: Home;
  readonly ports: PortBook;
  readonly endpoints: Endpoints;
  /** What our processes read: KAFKA_BROKERS, TEMPORAL_ADDRESS, DATABASE_URL, S3_… */
  readonly env: Readonly<Record<string, string>>;
  /** `external`, `path …`, `docker …` or `built …` by part. */
  readonly how: Readonly<Partial<Record<PartName, string>>>;
  /** Optional parts that do not run, and why. */
  readonly missing: Readonly<Partial<Record<PartName, string>>>;
  /** Crashes a part, for tests; it comes back on its port. An external one is left alone. */
  kill(part: PartName, signal?: NodeJS.Signals): void;
  /** Stops all parts, by force after 8 s unless told otherwise, frees the ports and gives the home back. May be called twice. */
  stop(stopTimeoutMs?: number): Promise<void>;
}

const PARTS: Readonly<Record<PartName, Part>> = { temporal, kafka, postgres, s3, redis, rabbitmq, registry, clickhouse };

/**
 * Starts the named parts side by side from one home and keeps them alive until `stop()`.
 * Errors: FZ_HOME_IN_USE; FZ_PART_UNAVAILABLE, FZ_PROCESS_UNREADY for the first part that fails, the
 * others being stopped again.
 */
export async function startParts(options: StartPartsOptions): Promise<RunningParts> {
  const home = await Home.open(resolve(options.home));
  const ports = new PortBook();
  const running = new Map<PartName, RunningPart>();
  const missing = new Map<PartName, string>();
  const failed = new AbortController();
  const signal = options.signal === undefined ? failed.signal : AbortSignal.any([failed.signal, options.signal]);
  const tell = options.onEvent ?? ((): void => undefined);

  const start = async (name: PartName): Promise<void> => {
    const say = (text: string): void => tell({ part: name, kind: 'step', text });
    const context: PartContext = { home, env: options.env, searchAttributes: options.searchAttributes ?? {}, signal, say };
    try {
      const part = await runPart(PARTS[name], context, ports, (event) => tell({ part: name, kind: event.kind, text: event.text }));
      running.set(name, part);
      tell({ part: name, kind: 'ready', text: part.how });
    } catch (thrown) {
      const dispensable = options.optional?.includes(name) === true && PARTS[name].external(options.env) === undefined;
      if (dispensable && !signal.aborted && thrown instanceof FazendaError) {
        missing.set(name, thrown.message);
        return tell({ part: name, kind: 'missing', text: thrown.message });
      }
      // The first fault is told; the others stop for its sake and have nothing to say.
      if (!signal.aborted) tell({ part: name, kind: 'failed', text: textOf(thrown) });
      failed.abort(thrown);
      throw thrown;
    }
  };

  let stopped: Promise<void> | undefined;
  const stopAll = async (stopTimeoutMs: number): Promise<void> => {
    const results = await Promise.allSettled([...running.values()].map((part) => part.stop(stopTimeoutMs)));
    ports.release();
    home.close();
    const faults = results.flatMap((result) => (result.status === 'rejected' ? [result.reason as unknown] : []));
    if (faults.length > 0) throw new AggregateError(faults, 'some parts did not stop in order');
  };
  const stop = (stopTimeoutMs = STOP_TIMEOUT_MS): Promise<void> => (stopped ??= stopAll(stopTimeoutMs));

  await Promise.allSettled(options.parts.map(start));
  if (signal.aborted) {
    await stop();
    throw signal.reason;
  }
  const all = [...running.values()];
  return {
    home,
    ports,
    endpoints: Object.assign(noEndpoints(), ...all.map((part) => part.facts.endpoints)),
    env: Object.assign({}, ...all.map((part) => part.facts.env)),
    how: Object.fromEntries([...running].map(([name, part]) => [name, part.how])),
    missing: Object.fromEntries(missing),
    kill: (name, how = 'SIGKILL') => running.get(name)?.kill(how),
    stop,
  };
}

/**
 * Finds or builds the named parts without starting them, so that a later start takes seconds.
 * Errors: FZ_PART_UNAVAILABLE, FZ_CACHE_CORRUPT for the first one that cannot be had.
 */
export async function installParts(names: readonly PartName[], env: NodeJS.ProcessEnv, say: (text: string) => void): Promise<void> {
  const failed = new AbortController();
  const install = async (name: PartName): Promise<void> => {
    try {
      await obtain(PARTS[name], { env, signal: failed.signal, say: (text) => say(`${name}: ${text}`) });
    } catch (thrown) {
      failed.abort(thrown);
      throw thrown;
    }
  };
  await Promise.allSettled(names.map(install));
  failed.signal.throwIfAborted();
}

function noEndpoints(): Endpoints {
  return {
    api: null, kafka: null, temporal: null, temporalNamespace: null, temporalUi: null, postgres: null, s3: null,
    schemaRegistry: null, clickhouse: null, amqp: null, smtp: null, mailbox: null, redis: null,
  };
}
