import { openPool } from '../src/facts/postgres';
import { openCodec } from '../src/kafka/codec';
import { openConsumer } from '../src/kafka/consumer';
import { openProducer } from '../src/kafka/producer';
import { NOTIFICATIONS_GROUP } from '../src/notify/compose';
import { dispatchChunk, noticedTopics } from '../src/notify/dispatch';
import { openSlipQueue } from '../src/notify/open';
import { keepRemembering } from '../src/notify/remember';
import { runProcess } from '../src/process';
import { openPlaceIndex } from '../src/replay/place-index';
import { tracedChunk } from '../src/tracing/consumed';
import { openMetrics } from './hosting';
import { whenWhole } from './standing';

/**
 * Makes notifications of facts that people are told of, and puts them on the queue. Beside that it fills the index of
 * places, which is in no hurry either.
 */
void runProcess('dispatcher', async (running) => {
  const { config, log, onStop, fail } = running;
  await openMetrics('dispatcher', running);
  const db = openPool(config, 'dispatcher');
  onStop(() => db.end());
  const producer = openProducer(config, log, { sendTimeoutMs: 10_000 });
  producer.start();
  onStop(() => producer.stop());
  const queue = openSlipQueue(config, log, fail);
  onStop(() => queue.stop());
  onStop(keepRemembering({ db, queue, log }));

  const deps = { db, producer, queue, log, codec: openCodec(config, db) };
  const options = {
    group: NOTIFICATIONS_GROUP, topics: noticedTopics(), fromBeginning: true, chunkMax: config.INGRESS_CHUNK_MAX,
    onChunk: (chunk: Parameters<typeof dispatchChunk>[1]) => tracedChunk(NOTIFICATIONS_GROUP, chunk, () => dispatchChunk(deps, chunk)),
  };
  const consumer = openConsumer(config, log, options, fail);
  await whenWhole(running, db, async () => {
    onStop(() => consumer.stop());
    await consumer.start();
  });

  const places = openPlaceIndex({ config, log, db, codec: deps.codec });
  places.start();
  onStop(places.stop);
});
