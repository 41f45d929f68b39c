import type { Domain } from '../../workflows/kernel/definition';
import type { Config } from '../config';
import type { Queryable } from '../facts/postgres';
import type { Codec } from '../kafka/codec';
import { keyPartitioner } from '../kafka/partitioner';
import type { IncomingRecord } from '../kafka/port';
import { hintOf } from '../live/hints';
import type { Logger } from '../log';
import { indexedSoFar, placesOf, type Indexed } from './places';
import { extentsOf, readSpans, spanOf, type Extent, type Span } from './read-topics';
import { openTopicsOf, toldFactOf, topicsOf, type Place } from './told-fact';
import { TopicStory } from './topic-story';

export interface FindDeps {
  readonly config: Config;
  readonly log: Logger;
  readonly db: Queryable;
  readonly codec: Codec;
}

/** An aggregate may be meant in more than one domain, each of which spells its id in its own way. */
export interface Sought {
  readonly domain: Domain;
  readonly id: string;
}

export interface Found {
  readonly stories: readonly TopicStory[];
  /** Records that were read for it. */
  readonly records: number;
  /** False where the index named a place that holds something else: then only the whole log is to be believed. */
  readonly trusted: boolean;
}

/** Somebody waits for the answer: brokers that say nothing for this long are away, ms. */
const SILENCE_MAX_MS = 10_000;
/** Of one partition in one fetch, bytes, where most of what is wanted are single records in the midst of others. */
const NEAR_BYTES = 131_072;

/**
 * The records of an aggregate, from the topics as they are now. `near`: those that the index names, and of what it
 * does not have yet the partition of the aggregate's key, and any partition where a stranger may have begun it.
 * `everywhere`: every partition of its domain's topics from the beginning, whatever the index says.
 */
export async function findStories({ config, log, db, codec }: FindDeps, sought: readonly Sought[], scope: 'near' | 'everywhere'): Promise<Found> {
  const domains = sought.map(({ domain }) => domain);
  const extents = await extentsOf(config, log, topicsOf(domains));
  const places = scope === 'near' ? await placesOf(db, [...new Set(sought.map(({ id }) => id))]) : [];
  const spans = scope === 'near' ? nearSpans(extents, sought, places, await indexedSoFar(db)) : extents.map(spanOf);

  const stories = sought.map(({ domain, id }) => new TopicStory(domain, id));
  const named = new Set(places.map(({ topic, partition, offset }) => `${topic}/${partition}/${offset}`));
  let records = 0;
  let trusted = true;
  for await (const handful of readSpans(config, log, spans, { ...(scope === 'near' && { bytesPerPartition: NEAR_BYTES }), silenceMaxMs: SILENCE_MAX_MS })) {
    records += handful.length;
    await codec.learn(handful);
    for (const record of handful) {
      const story = storyOf(record, stories, codec);
      const told = story && toldFactOf(record, codec);
      if (told) story.add(told);
      if (!story && named.has(`${record.topic}/${record.partition}/${record.offset}`)) trusted = false;
    }
  }
  return { stories, records, trusted };
}

/** Most records that are read are somebody else's: which they are is said by headers, and cheap. */
function storyOf(record: IncomingRecord, stories: readonly TopicStory[], codec: Codec): TopicStory | undefined {
  const hint = hintOf(record, codec);
  return hint && stories.find(({ domain, id }) => domain.name === hint.domain && id === hint.id);
}

function nearSpans(extents: readonly Extent[], sought: readonly Sought[], places: readonly Place[], indexed: ReadonlyMap<string, Indexed>): Span[] {
  const open = new Set(openTopicsOf(sought.map(({ domain }) => domain)));
  return extents.flatMap((extent) => {
    const { topic, partition, low, high } = extent;
    const known = indexed.get(`${topic}/${partition}`);
    // A topic that was made anew after it was indexed ends earlier; of that index nothing is true.
    const next = known && known.next <= high ? known.next : low;
    const single = places
      .filter((place) => place.topic === topic && place.partition === partition && place.offset >= low && place.offset < next)
      .map(({ offset }): Span => ({ topic, partition, from: offset, until: offset + 1n }));
    const partitions = extents.filter((one) => one.topic === topic).length;
    const inReach = open.has(topic) || sought.some(({ id }) => partitionOf(topic, id, partitions) === partition);
    return inReach ? [...single, { topic, partition, from: next > low ? next : low, until: high }] : single;
  });
}

const partitioner = keyPartitioner();

/** Where a record of this key lies if its producer is ours, or any that does as Kafka's own clients do. */
function partitionOf(topic: string, key: string, partitions: number): number {
  const partitionMetadata = Array.from({ length: partitions }, (_, partitionId) => ({ partitionId, partitionErrorCode: 0, leader: 0, replicas: [], isr: [] }));
  return partitioner({ topic, partitionMetadata, message: { key, value: null } });
}
