import { modelTypesOf, registerAgent } from '../activities/agents';
import { runProcess, untilItWorks } from '../src/process';
import { openActivityWorker } from '../src/temporal/worker';
import { GENERATOR_QUEUE } from '../workflows/content/queue';
import { openHost, runWorker } from './hosting';

/** An agent: calls models, at most as many at once as its capacity. Run as many as there is work for. */
void runProcess('agent', async (running) => {
  const { config, log } = running;
  const { connection, db, activities } = await openHost('agent', running);
  const agent = { id: config.AGENT_ID, modelTypes: modelTypesOf(config), capacity: config.AGENT_CAPACITY };
  await untilItWorks(log, 'the agent registry', () => registerAgent(db, agent));

  const queue = { name: GENERATOR_QUEUE, capacity: config.AGENT_CAPACITY, perSecondMax: config.MODEL_CALLS_PER_SECOND_MAX };
  const { generateDraft } = activities;
  runWorker(await openActivityWorker(config, connection, { generateDraft }, queue), running);
});
