import type { IHeaders } from 'kafkajs';
import type { Config } from '../../src/config';
import { clusterName, openKafka } from '../../src/kafka/client';
import { openLog } from '../../src/log';

/** A record byte for byte, with its place. */
export interface RawRecord {
  readonly partition: number;
  readonly offset: string;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly headers: IHeaders;
}

/** Every record that a topic holds now, by partition and in the order of the broker's log. */
export async function rawRecordsOn(config: Config, topic: string): Promise<RawRecord[]> {
  const kafka = openKafka(config, openLog(config, 'reader'));
  const name = clusterName(config, topic);
  const admin = kafka.admin();
  await admin.connect();
  const ends = await admin.fetchTopicOffsets(name);
  await admin.disconnect();
  const wanted = ends.reduce((sum, { high, low }) => sum + Number(BigInt(high) - BigInt(low)), 0);
  const seen: RawRecord[] = [];
  if (wanted === 0) return seen;

  const consumer = kafka.consumer({ groupId: `${name}.reader.${process.hrtime.bigint()}`, maxWaitTimeInMs: 50 });
  await consumer.connect();
  await consumer.subscribe({ topic: name, fromBeginning: true });
  await new Promise<void>((resolve, reject) => {
    consumer.on(consumer.events.CRASH, ({ payload }) => reject(payload.error));
    void consumer.run({
      eachMessage: async ({ partition, message: { offset, key, value, headers = {} } }) => {
        seen.push({ partition, offset, key, value, headers });
        if (seen.length === wanted) resolve();
      },
    });
  });
  await consumer.disconnect();
  return seen.sort((a, b) => a.partition - b.partition || Number(BigInt(a.offset) - BigInt(b.offset)));
}
