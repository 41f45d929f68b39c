import { access } from 'node:fs/promises';
import type { Config } from '../config';
import { FazendaError } from '../errors';
import { DEPENDENCIES, SYSTEMS, type DependencyName, type Watch } from './dependencies';
import { problemReply } from './problem';
import { jsonReply, type Reply } from './reply';

/** The process answers: all that is asked of it. Never looks at anything else, so that no outage restarts it. */
export function livez(): Reply {
  return jsonReply(200, { alive: true });
}

/** 200 once everything that a request needs answers and the start is complete; else 503 naming who is away. */
export async function readyz({ FAZENDA_READY_FILE }: Pick<Config, 'FAZENDA_READY_FILE'>, watch: Watch, correlationId: string): Promise<Reply> {
  const dependencies = await watch.now();
  const away = DEPENDENCIES.filter((name) => dependencies[name].state === 'away');
  const started = FAZENDA_READY_FILE === undefined || (await exists(FAZENDA_READY_FILE));
  const ready = away.length === 0 && started;
  if (ready) return jsonReply(200, { ready, away, dependencies });

  const detail = away.length > 0 ? `away: ${away.join(', ')}` : 'the start is not complete yet';
  const next = away.includes('facts')
    ? 'Run npx fazenda recover postgres: the topics have what the database lost.'
    : away.length > 0 ? 'Wait: what is away is found again by itself.' : 'Wait until the start is complete.';
  const { headers, body } = problemReply(new FazendaError('FZ_PROCESS_UNREADY', detail), correlationId, { status: 503, next, ready, away, dependencies });
  return { status: 503, headers: { ...headers, 'retry-after': '1' }, body };
}

/**
 * Always 200: who is there and who is not, in the words of the integration's contract. While that is disabled it
 * has no Kafka, as `/kafka/status` says too; whether fazenda itself has one is for `/readyz` to say.
 */
export async function health({ OBSERVABILITY__KAFKA_ENABLED }: Pick<Config, 'OBSERVABILITY__KAFKA_ENABLED'>, watch: Watch): Promise<Reply> {
  const states = await watch.now();
  const there = (name: DependencyName) => states[name].state === 'up' && (name !== 'kafka' || OBSERVABILITY__KAFKA_ENABLED);
  const connected = SYSTEMS.map((name) => [name, there(name) ? 'connected' : 'disconnected'] as const);
  return jsonReply(200, { service: 'fazenda', ...Object.fromEntries(connected), uptimeS: Math.round(process.uptime()) });
}

async function exists(path: string): Promise<boolean> {
  try {
    await access(path);
    return true;
  } catch {
    // Not there, or not to be seen by us: in both cases nobody has said "ready" to this process.
    return false;
  }
}
