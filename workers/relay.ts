import { openProducer } from '../src/kafka/producer';
import { runProcess } from '../src/process';
import { openRelay } from '../src/relay/relay';
import { openMetrics } from './hosting';

/** Puts stored facts on Kafka, in the order of each aggregate. A second one stands by. */
void runProcess('relay', async (running) => {
  const { config, log, onStop } = running;
  await openMetrics('relay', running);
  const producer = openProducer(config, log, { sendTimeoutMs: 60_000 });
  producer.start();
  onStop(() => producer.stop());
  const relay = openRelay(config, log, producer);
  onStop(() => relay.stop());
  relay.start();
});
