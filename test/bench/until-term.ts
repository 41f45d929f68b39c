import type { Worker } from '@temporalio/worker';
import type { Consumer, Producer } from 'kafkajs';

interface Bridge {
  readonly consumer: Consumer;
  readonly worker: Worker;
  readonly producer: Producer;
  readonly working: Promise<void>;
}

/** Says that a bridge of the benchmarks is ready, and runs it until it is told to end. */
export async function untilTerm({ consumer, worker, producer, working }: Bridge): Promise<void> {
  process.send?.({ ready: true });
  process.once('SIGTERM', () => {
    void (async () => {
      await consumer.disconnect();
      worker.shutdown();
      await working;
      await producer.disconnect();
      process.exit(0);
    })();
  });
  await working;
}
