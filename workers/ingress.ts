import { openIngress } from '../src/ingress/ingress';
import { PROMPT } from '../src/kafka/client';
import { openProducer } from '../src/kafka/producer';
import { runProcess } from '../src/process';
import { Endings } from '../src/temporal/endings';
import { openWorkflowWorker } from '../src/temporal/worker';
import { openHost, runWorker } from './hosting';
import { whenWhole } from './standing';

/** Takes Kafka records in. It runs stories as well, so that one that it starts can begin here, at once. */
void runProcess('ingress', async (running) => {
  const { config, log, onStop, fail } = running;
  const { connection, client, db, hint, activities } = await openHost('ingress', running);
  const endings = new Endings();
  runWorker(await openWorkflowWorker(config, connection, activities, endings), running);

  const producer = openProducer(config, log, { retry: PROMPT, sendTimeoutMs: 10_000 });
  producer.start();
  onStop(() => producer.stop());

  const consumers = openIngress({ config, log, db, temporal: client, hint, producer, fail, endings });
  await whenWhole(running, db, async () => {
    for (const consumer of consumers) onStop(() => consumer.stop());
    await Promise.all(consumers.map((consumer) => consumer.start()));
  });
});
