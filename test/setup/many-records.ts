import { randomUUID } from 'node:crypto';
import { CompressionTypes } from 'kafkajs';
import type { Config } from '../../src/config';
import { factId } from '../../src/facts/identity';
import type { StoredFact } from '../../src/facts/read';
import { clusterName, openKafka } from '../../src/kafka/client';
import type { OutgoingRecord } from '../../src/kafka/port';
import { openLog } from '../../src/log';
import { recordOfFact } from '../../src/relay/publish';
import { JSON_FORMATS } from '../../src/schemas/wire';
import { domainNamed } from '../../workflows/domains';
import { storyOf } from './story';

/** Records of one request; with gzip far below what a broker takes. */
const TOGETHER = 10_000;

/**
 * Puts so many facts of tasks that went well on their topics, as the relay writes them, and nowhere else: a past that
 * a test would have to wait an hour for. Stories lie between each other, as they do where many run at once.
 */
export async function writeManyFacts(config: Config, count: number): Promise<void> {
  const kafka = openKafka(config, openLog(config, 'test'));
  const producer = kafka.producer({ allowAutoTopicCreation: false });
  await producer.connect();
  const each = storyOf().length;
  for (let left = count; left > 0; left -= TOGETHER) {
    const ids = Array.from({ length: Math.ceil(Math.min(left, TOGETHER) / each) }, () => randomUUID() as string);
    const stories = ids.map((id) => recordsOf(id));
    const byTopic = new Map<string, OutgoingRecord[]>();
    for (let at = 0; at < each; at += 1) for (const records of stories) {
      const record = records[at];
      if (!record) continue;
      const known = byTopic.get(record.topic);
      if (known) known.push(record);
      else byTopic.set(record.topic, [record]);
    }
    const topicMessages = [...byTopic].map(([topic, records]) => ({
      topic: clusterName(config, topic),
      messages: records.map(({ key, value, headers }) => ({ key, value, headers: headers as Record<string, string> })),
    }));
    await producer.sendBatch({ acks: 1, compression: CompressionTypes.GZIP, topicMessages });
  }
  await producer.disconnect();
}

function recordsOf(id: string): OutgoingRecord[] {
  const { topics } = domainNamed('content');
  return storyOf(id).map((fact): OutgoingRecord => {
    const stored: StoredFact = {
      ...fact, seq: '0', domain: 'content', id, ceId: factId('content', id, fact.version), topic: topics[fact.type] ?? '', payload: JSON.stringify(fact.data),
      correlationId: id, causationId: fact.version === 1 ? id : factId('content', id, fact.version - 1), traceparent: null, origin: null, publishedAt: null,
    };
    return recordOfFact(stored, JSON_FORMATS);
  });
}
