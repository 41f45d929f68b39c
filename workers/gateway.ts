import { openPool } from '../src/facts/postgres';
import { runGateway } from '../src/live/run';
import { labelProcess, serveMetrics } from '../src/metrics';
import { runProcess } from '../src/process';

/** Pushes every step of a story to the clients that follow it, by WebSocket and Socket.IO. */
void runProcess('gateway', async (running) => {
  const { config, onStop } = running;
  labelProcess('gateway');
  const metrics = await serveMetrics(config.METRICS_PORT);
  onStop(() => metrics.close());
  const db = openPool(config, 'gateway');
  onStop(() => db.end());
  await runGateway({ ...running, db });
});
