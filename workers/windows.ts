import { runProcess } from '../src/process';
import { openWindows } from '../src/windows/publisher';
import { openMetrics } from './hosting';

/** Publishes what happened in each window of time, on compacted topics and in ClickHouse. A second one stands by. */
void runProcess('windows', async (running) => {
  const { config, log, onStop } = running;
  await openMetrics('windows', running);
  if (config.CLICKHOUSE_URL === undefined) {
    log.info('no ClickHouse: there are no windows');
    return;
  }
  const windows = openWindows({ config, log });
  onStop(() => windows.stop());
  windows.start();
});
