import { runProcess } from '../src/process';
import { keepSweeping } from '../src/sweeper/sweeper';
import { openWorkflowWorker } from '../src/temporal/worker';
import { openHost, runWorker } from './hosting';

/** Runs stories, and sweeps up those that nobody runs. */
void runProcess('worker', async (running) => {
  const { config, log, onStop } = running;
  const { connection, client, db, activities } = await openHost('worker', running);
  runWorker(await openWorkflowWorker(config, connection, activities), running);
  onStop(keepSweeping({ config, db, temporal: client, log }));
});
