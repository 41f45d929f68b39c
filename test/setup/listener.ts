import type { IHeaders, KafkaMessage } from 'kafkajs';
import type { Config } from '../../src/config';
import { clusterName, openKafka } from '../../src/kafka/client';
import { openLog } from '../../src/log';
import { until } from './until';

/** What came in on some topics since `hear` resolved, as a stranger's consumer hears it. */
export interface Listener {
  /** In the order of arrival, which is that of the log for any one key. */
  readonly heard: readonly HeardRecord[];
  /** The record of a place; waits until it is heard. */
  at(partition: number, offset: string): Promise<HeardRecord>;
  stop(): Promise<void>;
}

export interface HeardRecord {
  readonly partition: number;
  readonly message: Pick<KafkaMessage, 'key' | 'value' | 'headers' | 'timestamp'>;
}

/** One consumer for a whole file: to join a group for every look takes longer than the look. */
export async function hear(config: Config, topic: string): Promise<Listener> {
  const name = clusterName(config, topic);
  const consumer = openKafka(config, openLog(config, 'listener')).consumer({ groupId: `${name}.listener`, maxWaitTimeInMs: 20 });
  const heard: HeardRecord[] = [];
  const places = new Map<string, HeardRecord>();
  await consumer.connect();
  await consumer.subscribe({ topic: name, fromBeginning: true });
  await consumer.run({
    partitionsConsumedConcurrently: 12,
    eachMessage: async ({ partition, message: { offset, key, value, headers = {}, timestamp } }) => {
      const record = { partition, message: { key, value, timestamp, headers: asSent(headers) } };
      heard.push(record);
      places.set(`${partition}/${offset}`, record);
    },
  });
  return {
    heard,
    async at(partition, offset) {
      const place = `${partition}/${offset}`;
      await until(() => places.has(place), `the record at ${place} is heard`, undefined, 2);
      return places.get(place)!;
    },
    stop: () => consumer.disconnect(),
  };
}

/** kafkajs puts a function before the value of a header that is named like a member of every object, `toString` say. */
function asSent(headers: IHeaders): IHeaders {
  return Object.fromEntries(Object.entries(headers).map(([name, held]) => [name, Array.isArray(held) ? held.find(Buffer.isBuffer) : held]));
}
