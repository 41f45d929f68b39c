import { randomUUID } from 'node:crypto';
import { Kafka, logLevel, type Producer } from 'kafkajs';
import type { Job } from './jobs';

/** How work arrives: all at once, or so many a second. */
export type Load = { readonly kind: 'burst'; readonly count: number } | { readonly kind: 'paced'; readonly count: number; readonly perSecond: number };

/** Records of one request in a burst. */
const BURST_BATCH = 1_000;
const TICK_MS = 10;

export function nameOf(load: Load): string {
  return load.kind === 'burst' ? 'burst' : `${load.perSecond}/s`;
}

/** A producer outside of every entrant. */
export async function openLoader(brokers: string): Promise<Producer> {
  const producer = new Kafka({ clientId: 'load', brokers: brokers.split(','), logLevel: logLevel.NOTHING }).producer({ allowAutoTopicCreation: false });
  await producer.connect();
  return producer;
}

/** Puts the records of a load on Kafka, on time, and gives the ids of the work; resolves when all are acknowledged. */
export async function putLoad(producer: Producer, job: Job, prefix: string, load: Load): Promise<string[]> {
  const ids = Array.from({ length: load.count }, () => randomUUID());
  const put = async (some: readonly string[]): Promise<void> => {
    if (some.length === 0) return;
    await producer.send({ topic: `${prefix}${job.door}`, messages: some.map((id) => ({ key: id, value: JSON.stringify(job.value(id)) })) });
  };
  if (load.kind === 'burst') {
    for (let at = 0; at < ids.length; at += BURST_BATCH) await put(ids.slice(at, at + BURST_BATCH));
    return ids;
  }
  const beganAt = performance.now();
  const sends: Promise<void>[] = [];
  for (let sent = 0; sent < ids.length; ) {
    const due = Math.min(ids.length, Math.floor(((performance.now() - beganAt) / 1_000) * load.perSecond) + 1);
    sends.push(put(ids.slice(sent, due)));
    sent = due;
    await new Promise((resolve) => setTimeout(resolve, TICK_MS));
  }
  await Promise.all(sends);
  return ids;
}
