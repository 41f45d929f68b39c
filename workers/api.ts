import { runApi } from '../src/api/run';
import { labelProcess } from '../src/metrics';
import { runProcess } from '../src/process';

/** The REST door. */
void runProcess('api', async (running) => {
  labelProcess('api');
  const port = await runApi(running);
  running.log.info({ port }, 'listening');
});
