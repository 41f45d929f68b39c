import { createApp } from '../src/api/app';
import { openChecks } from '../src/api/checks';
import { watchDependencies } from '../src/api/dependencies';
import { proxyToGateway } from '../src/api/gateway-proxy';
import { keepHouse } from '../src/api/housekeeping';
import { listen } from '../src/api/server';
import { openPool } from '../src/facts/postgres';
import { PROMPT } from '../src/kafka/client';
import { openProducer } from '../src/kafka/producer';
import { labelProcess, registry } from '../src/metrics';
import { runProcess } from '../src/process';
import { lazyTemporal } from '../src/temporal/lazy';
import { domains } from '../workflows/domains';

/** A command's caller waits no longer for Kafka, ms. */
const SEND_TIMEOUT_MS = 4_000;

/** The REST door. Comes up whether or not the others are there, and says in `/readyz` who is away. */
void runProcess('api', async ({ config, log, onStop }) => {
  labelProcess('api');
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

  const gateway = proxyToGateway(config.GATEWAY_URL, log);
  const app = createApp({ config, log, db, producer, temporal, watch, metrics: registry, domains, gateway });
  const { port, stop } = await listen(config, app, gateway);
  onStop(stop);
  log.info({ port }, 'listening');
});
