import { openMetrics } from './hosting';
import { runProcess } from '../src/process';
import { openCodecServer } from '../src/temporal/codec-server';

/** Shows sealed payloads to whoever has its token, in Temporal's Web UI. */
void runProcess('codec-server', async (running) => {
  await openMetrics('codec-server', running);
  const { port, close } = await openCodecServer(running.config, running.log);
  running.onStop(close);
  running.log.info({ port }, 'listening');
});
