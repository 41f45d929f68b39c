import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { startParts } from '../src/runtime/parts';
import { configOn, enterOn, producerOn, record } from './setup/port';
import { removeTempHomes, tempHome } from './setup/temp-home';
import { until } from './setup/until';

/** A broker of this test's own is killed under a producer and a consumer, and nobody does anything about it. */

afterAll(removeTempHomes);

test('a broker that dies is missed in time, and sends and chunks go on when it is back', async () => {
  const { KAFKA_BROKERS: _shared, KAFKA_BROKER: _other, ...env } = process.env;
  const parts = await startParts({ home: homeWithDashedClusterId(), parts: ['kafka'], env });
  try {
    const own = await configOn(parts.env.KAFKA_BROKERS ?? '');
    const sender = await producerOn(own);
    const seen: string[] = [];
    const consumer = await enterOn(own, 'task.assigned', 'through', async ({ records }) => { seen.push(...records.map(({ value }) => String(value))); });
    await sender.send([record('task.assigned', 'k', 'before')]);
    await until(() => seen.length === 1, 'it goes through');

    parts.kill('kafka');
    const began = Date.now();
    await expect(sender.send([record('task.assigned', 'k', 'lost')])).rejects.toMatchObject({ code: 'FZ_KAFKA_AWAY', kind: { retryable: true } });
    expect(Date.now() - began).toBeLessThan(6_000);
    // Known to be away, it is said at once.
    const again = Date.now();
    if (!sender.connected) await expect(sender.send([record('task.assigned', 'k', 'lost too')])).rejects.toMatchObject({ code: 'FZ_KAFKA_AWAY' });
    expect(Date.now() - again).toBeLessThan(4_500);

    await until(() => sender.connected, 'the producer has found the broker again', 40_000);
    await sender.send([record('task.assigned', 'k', 'after')]);
    await until(() => seen.includes('after'), 'the consumer has found it too', 40_000);
    await consumer.stop();
    await sender.stop();
  } finally {
    await parts.stop();
  }
}, 10 * 60_000);

/** Cluster ids are random, and one in sixty-four begins with a dash, which a command line may take for an option. */
function homeWithDashedClusterId(): string {
  const home = tempHome();
  mkdirSync(join(home, 'data'), { recursive: true });
  writeFileSync(join(home, 'data', 'kafka-cluster-id'), '-kQ3rZk2QkC7o0b0l3m9xA\n');
  return home;
}
