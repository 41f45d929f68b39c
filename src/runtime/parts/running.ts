import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { FazendaError, textOf } from '../../errors';
import { SupervisedChild, type ChildEvent } from '../child';
import type { PortBook } from '../ports';
import { ComposeService, dockerAnswers } from './docker';
import { WAYS, type InstallContext, type Part, type PartContext, type PartFacts, type Ports, type Tool, type Way } from './part';

export const STOP_TIMEOUT_MS = 8_000;
const READY_TIMEOUT_MS = 90_000;
const EXTERNAL_WAIT_MS = 30_000;
const EXTERNAL_POLL_MS = 500;

/** A part that runs, by whichever way. */
export interface RunningPart {
  readonly how: string;
  readonly facts: PartFacts;
  kill(signal: NodeJS.Signals): void;
  /** @param stopTimeoutMs after this long it is ended by force */
  stop(stopTimeoutMs: number): Promise<void>;
}

/**
 * Has one part running by the first way that works: given by the environment, on PATH, Docker, built.
 * A program that is here and does not come up is a fault to look at, not a reason to try another way.
 * Errors: those of `obtain`; FZ_PROCESS_UNREADY.
 */
export async function runPart(part: Part, context: PartContext, book: PortBook, onEvent: (event: ChildEvent) => void): Promise<RunningPart> {
  const had = await obtain(part, context);
  if (had === 'docker') return await inDocker(part, context, book);
  return 'how' in had ? await asChild(part, had, context, book, onEvent) : await external(part, had, context);
}

/**
 * Finds a part, or has it built, and starts nothing.
 * Errors: FZ_PART_UNAVAILABLE with each way's reason, and with the one that is least trouble to mend.
 */
export async function obtain(part: Part, context: InstallContext): Promise<PartFacts | Tool | 'docker'> {
  const given = part.external(context.env);
  if (given !== undefined) return given;
  const reasons: string[] = [];
  for (const way of waysAllowed(context.env)) {
    try {
      const had = way === 'docker' ? await dockerAnswers(context) : way === 'path' ? await part.find(context) : await part.build(context);
      if (had === true) return 'docker';
      if (had !== undefined && had !== false) return had;
      reasons.push(`${way}: ${way === 'docker' ? 'no engine answers' : 'not found'}`);
    } catch (thrown) {
      context.signal.throwIfAborted();
      if (!(thrown instanceof FazendaError) || thrown.code !== 'FZ_PART_UNAVAILABLE') throw thrown;
      reasons.push(`${way}: ${thrown.message}`);
    }
  }
  throw new FazendaError('FZ_PART_UNAVAILABLE', `${part.title} cannot be had (${reasons.join('; ')}). ${part.leastTrouble}`);
}

/** `FAZENDA_PART_WAYS=built` leaves out what is on PATH and Docker; the order is theirs, too. */
export function waysAllowed(env: NodeJS.ProcessEnv): readonly Way[] {
  const asked = (env.FAZENDA_PART_WAYS ?? '').split(',').map((word) => word.trim()).filter((word) => word !== '');
  if (asked.length === 0) return WAYS;
  const ways = asked.map((word) => WAYS.find((way) => way === word));
  if (ways.some((way) => way === undefined)) throw new FazendaError('FZ_CONFIG_INVALID', `FAZENDA_PART_WAYS is "${asked.join(',')}"; its words are ${WAYS.join(', ')}`);
  return ways.filter((way) => way !== undefined);
}

async function asChild(part: Part, tool: Tool, context: PartContext, book: PortBook, onEvent: (event: ChildEvent) => void): Promise<RunningPart> {
  const ports = await claimAll(part, book);
  const launch = await part.prepare(context, tool, ports);
  const { ready, ...how } = launch;
  const child = new SupervisedChild(
    {
      ...how,
      name: part.name,
      env: { ...context.env, ...launch.env },
      logFile: context.home.path('logs', `${part.name}.log`),
      stopTimeoutMs: STOP_TIMEOUT_MS,
      readyTimeoutMs: READY_TIMEOUT_MS,
      ready,
    },
    join(context.home.path('run'), `${part.name}.json`),
    onEvent,
  );
  context.say('starting');
  try {
    await child.start(context.signal);
  } catch (thrown) {
    await child.stop();
    throw thrown;
  }
  return { how: tool.how, facts: part.facts(context, ports), kill: (signal) => child.kill(signal), stop: (stopTimeoutMs) => child.stop(stopTimeoutMs) };
}

async function inDocker(part: Part, context: PartContext, book: PortBook): Promise<RunningPart> {
  const ports = await claimAll(part, book);
  const { service, env, ready } = part.compose(context, ports);
  const container = new ComposeService(service, context.home.folder, { ...context.env, ...env });
  const stop = (stopTimeoutMs: number): Promise<void> => container.stop(stopTimeoutMs);
  try {
    await container.up(context);
    const deadline = Date.now() + READY_TIMEOUT_MS;
    while (!(await ready())) {
      if (Date.now() > deadline) throw new FazendaError('FZ_PROCESS_UNREADY', `${part.title}: its container is not ready after ${READY_TIMEOUT_MS / 1000} s; see \`docker compose logs ${service}\``);
      await sleep(EXTERNAL_POLL_MS, undefined, { signal: context.signal });
    }
  } catch (thrown) {
    await stop(STOP_TIMEOUT_MS);
    throw thrown;
  }
  const kill = (signal: NodeJS.Signals): void => {
    container.kill(signal).catch((thrown: unknown) => context.say(textOf(thrown)));
  };
  return { how: `docker ${service}`, facts: part.facts(context, ports), kill, stop };
}

async function claimAll(part: Part, book: PortBook): Promise<Ports> {
  const ports: Record<string, number> = {};
  for (const [purpose, preferred] of Object.entries(part.ports)) ports[purpose] = await book.claim(preferred);
  return ports;
}

/** What the environment names is taken as it is, once one of its addresses can be reached. */
async function external(part: Part, facts: PartFacts, context: PartContext): Promise<RunningPart> {
  const addresses = addressesOf(Object.values(facts.env)[0] ?? '');
  context.say(`waiting for ${addresses.map(({ host, port }) => `${host}:${port}`).join(', ')}`);
  const deadline = Date.now() + EXTERNAL_WAIT_MS;
  while (!(await anyReached(addresses))) {
    if (Date.now() > deadline) {
      throw new FazendaError('FZ_PART_UNAVAILABLE', `${part.title} is set to ${addresses.map(({ host, port }) => `${host}:${port}`).join(', ')}, which does not answer. Start it, or unset ${Object.keys(facts.env)[0]} to have one started for you`);
    }
    await sleep(EXTERNAL_POLL_MS, undefined, { signal: context.signal });
  }
  return { how: 'external', facts, kill: () => undefined, stop: () => Promise.resolve() };
}

interface Address {
  readonly host: string;
  readonly port: number;
}

const PORTS_BY_SCHEME: Readonly<Record<string, number>> = { 'postgres:': 5432, 'postgresql:': 5432, 'redis:': 6379, 'amqp:': 5672, 'amqps:': 5671, 'smtp:': 587, 'smtps:': 465, 'http:': 80, 'https:': 443 };

/** The addresses in a URL, or in a list of `host:port`; credentials are left out. */
export function addressesOf(text: string): Address[] {
  return text.split(',').map((item) => {
    const url = new URL(item.includes('://') ? item.trim() : `tcp://${item.trim()}`);
    return { host: url.hostname.replace(/^\[|\]$/g, ''), port: Number(url.port || PORTS_BY_SCHEME[url.protocol] || 0) };
  });
}

async function anyReached(addresses: readonly Address[]): Promise<boolean> {
  return (await Promise.all(addresses.map(reached))).some(Boolean);
}

function reached(address: Address): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ ...address, timeout: EXTERNAL_POLL_MS * 4 });
    const end = (answer: boolean) => (): void => {
      socket.destroy();
      resolve(answer);
    };
    socket.once('connect', end(true)).once('error', end(false)).once('timeout', end(false));
  });
}
