import { Kafka, logLevel } from 'kafkajs';

/** A fact as a stranger reads it off a topic. */
export interface Seen {
  readonly topic: string;
  /** `topic/partition/offset` */
  readonly place?: string;
  readonly id: string;
  readonly version: number;
  readonly ceId: string;
  readonly type: string;
  readonly value: string;
  readonly ours: boolean;
  /** When the broker appended it, ms. */
  readonly appendedAt: number;
}

/** Reads topics from the beginning to where they end now, with a group that leaves no trace in ours. */
export async function readTopics(brokers: string, topics: readonly string[]): Promise<Seen[]> {
  const kafka = new Kafka({ clientId: 'judge', brokers: brokers.split(','), logLevel: logLevel.NOTHING });
  const admin = kafka.admin();
  await admin.connect();
  const ends = new Map<string, bigint>();
  for (const topic of topics) {
    for (const { partition, high, low } of await admin.fetchTopicOffsets(topic)) if (high !== low) ends.set(`${topic}/${partition}`, BigInt(high));
  }
  await admin.disconnect();
  const seen: Seen[] = [];
  if (ends.size === 0) return seen;
  const consumer = kafka.consumer({ groupId: `judge-${Date.now()}-${Math.random()}`, maxWaitTimeInMs: 100 });
  await consumer.connect();
  await consumer.subscribe({ topics: [...topics], fromBeginning: true });
  await new Promise<void>((resolve) => {
    void consumer.run({
      eachMessage: async ({ topic, partition, message }) => {
        const place = `${topic}/${partition}`;
        const end = ends.get(place);
        if (end === undefined || BigInt(message.offset) >= end) return;
        const header = (name: string) => (message.headers?.[name] === undefined ? undefined : String(message.headers[name]));
        seen.push({
          topic, place: `${place}/${message.offset}`, id: String(message.key), version: Number(header('ce_sequence') ?? 1), ceId: header('ce_id') ?? '', type: header('ce_type') ?? '',
          value: String(message.value), ours: header('ce_source')?.startsWith('/fazenda') ?? false, appendedAt: Number(message.timestamp),
        });
        if (BigInt(message.offset) === end - 1n) ends.delete(place);
        if (ends.size === 0) resolve();
      },
    });
  });
  await consumer.disconnect();
  return seen;
}

/** Records that a topic ever got, over its partitions. */
export async function recordsEver(brokers: string, topic: string): Promise<number> {
  const admin = new Kafka({ clientId: 'judge', brokers: brokers.split(','), logLevel: logLevel.NOTHING }).admin();
  await admin.connect();
  try {
    return (await admin.fetchTopicOffsets(topic)).reduce((sum, { high }) => sum + Number(high), 0);
  } finally {
    await admin.disconnect();
  }
}

export interface Verdict {
  /** Complete stories: versions 1..n without gap, one id and one value each, terminal at the end. */
  readonly exact: number;
  readonly faults: readonly string[];
  /** Types of each story, in the order of its versions. */
  readonly stories: ReadonlyMap<string, readonly Seen[]>;
}

/**
 * Judges stories from the topics alone. A fact may lie there twice, with the same id and the same bytes;
 * anything else that is double, missing, out of order or unfinished is a fault.
 */
export function judge(seen: readonly Seen[], ids: readonly string[], terminal: readonly string[]): Verdict {
  const faults: string[] = [];
  const stories = new Map<string, Seen[]>();
  const byId = new Map<string, Seen[]>();
  for (const one of seen) byId.set(one.id, [...(byId.get(one.id) ?? []), one]);
  let exact = 0;
  for (const id of ids) {
    const found = byId.get(id) ?? [];
    const before = faults.length;
    const versions = new Map<number, Seen>();
    for (const one of found.toSorted((a, b) => a.appendedAt - b.appendedAt)) {
      const first = versions.get(one.version);
      if (!first) versions.set(one.version, one);
      else if (one.ours && first.ours && (first.ceId !== one.ceId || first.value !== one.value)) faults.push(`${id}: version ${one.version} has two tellings`);
    }
    const story = [...versions.values()].toSorted((a, b) => a.version - b.version);
    stories.set(id, story);
    story.forEach((one, index) => {
      if (one.version !== index + 1) faults.push(`${id}: no version ${index + 1}`);
      const earlier = story[index - 1];
      if (earlier && earlier.appendedAt > one.appendedAt) faults.push(`${id}: version ${one.version} was on Kafka before ${earlier.version}`);
    });
    const last = story.at(-1);
    if (!last || !terminal.includes(last.type)) faults.push(`${id}: ends with ${last?.type ?? 'nothing'}`);
    if (new Set(story.filter((one) => terminal.includes(one.type)).map((one) => one.type)).size > 1) faults.push(`${id}: ends twice`);
    if (faults.length === before) exact += 1;
  }
  return { exact, faults, stories };
}
