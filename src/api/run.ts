import { domains } from '../../workflows/domains';
import { openIndexer } from '../deadletters/indexer';
import { openPool } from '../facts/postgres';
import { PROMPT } from '../kafka/client';
import { openProducer } from '../kafka/producer';
import { registry } from '../metrics';
import { openObserver } from '../observe/open';
import type { Running } from '../process';
import { lazyTemporal } from '../temporal/lazy';
import { createApp } from './app';
import { openChecks } from './checks';
import { watchDependencies } from './dependencies';
import { proxyToGateway } from './gateway-proxy';
import { keepHouse } from './housekeeping';
import { listen } from './server';

/** A command's caller waits no longer for Kafka, ms. */
const SEND_TIMEOUT_MS = 4_000;

/**
 * The REST door, listening. It comes up whether or not the others are there, and says in `/readyz` who is away;
 * whoever is away is connected to when he is back.
 * @returns the port that it listens on
 */
export async function runApi({ config, log, onStop }: Pick<Running, 'config' | 'log' | 'onStop'>): Promise<number> {
  const db = openPool(config, 'api');
  onStop(() => db.end());
  const producer = openProducer(config, log, { retry: PROMPT, sendTimeoutMs: SEND_TIMEOUT_MS });
  producer.start();
  onStop(() => producer.stop());
  const temporal = lazyTemporal(config);
  onStop(() => temporal.connection.close());
  const { checks, close } = openChecks(config, log, db, producer, temporal);
  onStop(close);
  const watch = watchDependencies(checks);
  onStop(watch.stop);
  onStop(keepHouse(db, log));
  const observer = openObserver({ config, log, db, temporal, watch });
  onStop(() => observer.stop());
  const index = openIndexer({ config, db, log });
  index.start();
  onStop(index.stop);

  const gateway = proxyToGateway(config.GATEWAY_URL, log);
  const app = createApp({ config, log, db, producer, temporal, watch, metrics: registry, domains, gateway });
  const { port, stop } = await listen(config, app, gateway);
  onStop(stop);
  return port;
}
