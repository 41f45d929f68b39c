import type { Domain } from '../../workflows/kernel/definition';
import { findStories, type FindDeps } from '../replay/find';
import { extentsOf, readSpans } from '../replay/read-topics';
import type { Place } from '../replay/told-fact';
import type { PathLine } from './line';
import type { Stored } from './stored';

/** Of one record in the midst of others, bytes. */
const ONE_RECORD_BYTES = 65_536;
/** Brokers that say nothing for this long are away, ms. */
const SILENCE_MAX_MS = 8_000;

/**
 * Where a story's records lie, read in the topics themselves: the one that brought it, and that of each fact. A fact
 * that the relay counts as published and that is not there is said to be missing.
 * @throws FazendaError FZ_KAFKA_AWAY
 */
export async function topicLines(deps: FindDeps, domain: Domain, id: string, { facts }: Stored): Promise<PathLine[]> {
  const [first] = facts;
  if (!first) return [];
  const [arrived, { stories: [story] }] = await Promise.all([
    first.origin === null ? arrival(deps, first.causationId) : [],
    findStories(deps, [{ domain, id }], 'near'),
  ]);
  const found = new Map((story?.steps() ?? []).map(({ told }) => [told.fact.version, told]));
  const published = facts.map(({ version, type, topic, origin, publishedAt }): PathLine => {
    const told = found.get(version);
    if (told) {
      const { place, appendedAt } = told;
      const brought = version === 1 && origin !== null;
      const text = brought ? `the record that began it is at ${text3(place)}, and is ${version} ${type} itself` : `${version} ${type} is at ${text3(place)}`;
      return { at: new Date(appendedAt).toISOString(), teller: 'Kafka', event: brought ? 'arrived' : 'published', version, text, place: shown(place) };
    }
    if (publishedAt === null) return { at: null, teller: 'Kafka', event: 'unpublished', version, text: `${version} ${type} is not published yet` };
    return { at: publishedAt.toISOString(), teller: 'Kafka', event: 'published', version, text: `${version} ${type} was published, and is not found on ${topic}` };
  });
  return [...arrived, ...published];
}

/** The same as the relay's marks say it, where the topics cannot be read. */
export function publishedAtLines({ facts }: Stored): PathLine[] {
  return facts.map(({ version, type, topic, publishedAt }) => publishedAt === null
    ? { at: null, teller: 'PostgreSQL', event: 'unpublished', version, text: `${version} ${type} is not published yet` }
    : { at: publishedAt.toISOString(), teller: 'PostgreSQL', event: 'published', version, text: `${version} ${type} was published on ${topic}` });
}

/** The record that a first fact was made of. Its topic may have forgotten it. */
async function arrival({ config, log }: FindDeps, place: string): Promise<PathLine[]> {
  const [, topic, partition, offset] = /^(.+)\/(\d+)\/(\d+)$/.exec(place) ?? [];
  if (topic === undefined || offset === undefined) return [];
  const from = BigInt(offset);
  const span = { topic, partition: Number(partition), from, until: from + 1n };
  const extent = (await extentsOf(config, log, [topic])).find((one) => one.partition === span.partition);
  const gone: PathLine = { at: null, teller: 'Kafka', event: 'arrived', text: `the record that began it was at ${place}, which holds it no more` };
  if (!extent || from < extent.low || from >= extent.high) return [gone];
  for await (const [record] of readSpans(config, log, [span], { bytesPerPartition: ONE_RECORD_BYTES, silenceMaxMs: SILENCE_MAX_MS })) {
    if (record?.offset !== offset) break;
    return [{ at: new Date(record.timestamp).toISOString(), teller: 'Kafka', event: 'arrived', text: `the record that began it is at ${place}`, place: { topic, partition: record.partition, offset } }];
  }
  return [gone];
}

function text3({ topic, partition, offset }: Place): string {
  return `${topic}/${partition}/${offset}`;
}

function shown({ topic, partition, offset }: Place): NonNullable<PathLine['place']> {
  return { topic, partition, offset: String(offset) };
}
