import { domains } from '../../workflows/domains';
import type { Domain, Door } from '../../workflows/kernel/definition';
import { FazendaError } from '../errors';
import { openCodec, type Codec } from '../kafka/codec';
import { openConsumer } from '../kafka/consumer';
import type { Chunk, Consumer, IncomingRecord, Producer } from '../kafka/port';
import type { Logger } from '../log';
import { aboutRecord, storyIds } from '../logging/story';
import { chunkRecords, chunkSeconds, deadLettered, ingressRecords } from '../metrics';
import { admitMail, admitStarts, startAlone, tellTogether, type AdmitDeps } from './admit';
import { deadLetterOf } from './deadletters';
import { Gate } from './gate';
import { openLanes } from './lanes';
import { sortRecord, type Sorted } from './sort';
import type { Endings } from '../temporal/endings';
import { inIngressSpans } from '../tracing/admitted';

/**
 * Once its facts are stored, a chunk that waits for a lane holds up what is behind it for no longer than this, ms. A
 * fetch that is never delayed brings few records, each of which pays for more of it: at 400 a second with two cores
 * busy, p50 in runs that took turns, 233 and 324 ms without a delay, 229 and 242 with 30, 251 and 256 with 60.
 */
const NEXT_AFTER_MS = 30;

/** What a Kafka record can become; exactly one of these, and until then it waits. */
export type Fate = 'started' | 'signalled' | 'duplicate' | 'filtered' | 'dead_lettered';

export interface IngressDeps extends AdmitDeps {
  readonly log: Logger;
  readonly producer: Producer;
  readonly fail: (reason: unknown) => void;
  /** Workflows that end in this process; without it Temporal is asked for the end of each. */
  readonly endings?: Endings;
  /** Reads the records; by default one of its own. */
  readonly codec?: Codec;
}

interface Entry {
  readonly domain: Domain;
  readonly door: Door;
  readonly gate: Gate;
}

/** One consumer a group, over all doors of all domains. */
export function openIngress(given: IngressDeps): Consumer[] {
  const deps = { codec: openCodec(given.config, given.db), ...given, start: openLanes(given, startAlone(given)), tell: tellTogether(given.db, given.hint) };
  const groups = new Map<string, Entry[]>();
  for (const domain of domains) {
    const gate = new Gate(deps.db, domain, deps.config.OPEN_STORIES_MAX);
    for (const door of domain.doors) groups.set(door.group, [...(groups.get(door.group) ?? []), { domain, door, gate }]);
  }
  return [...groups].map(([group, entries]) => {
    const byTopic = new Map(entries.map((entry) => [entry.door.topic, entry]));
    const options = {
      group,
      topics: [...byTopic.keys()],
      fromBeginning: true,
      chunkMax: deps.config.INGRESS_CHUNK_MAX,
      onChunk: async (chunk: Chunk) => {
        const entry = byTopic.get(chunk.topic);
        if (entry) await takeChunk(deps, entry, chunk);
      },
    };
    return openConsumer(deps.config, deps.log, options, deps.fail);
  });
}

/** What an earlier try of the same chunk has made new; so a record that was started by us is not called a duplicate. */
const startedBy = new WeakMap<Chunk, Set<string>>();

/**
 * Gives every record of a chunk its fate. It throws only for what would hit any record (Temporal,
 * PostgreSQL, the schema registry or Kafka away): then nothing is counted, no offset moves, and the chunk comes again.
 */
export async function takeChunk(deps: IngressDeps, entry: Entry, chunk: Chunk): Promise<void> {
  const { codec = openCodec(deps.config, deps.db) } = deps;
  const { domain, door } = entry;
  const began = performance.now();
  await codec.learn(chunk.records);
  const sorted = chunk.records.map((record) => sortRecord(domain, door, record, codec));
  await inIngressSpans(door.group, chunk, sorted, (traced) => giveFates(deps, entry, chunk, traced));
  chunkRecords.observe({ topic: door.topic }, chunk.records.length);
  chunkSeconds.observe({ topic: door.topic }, (performance.now() - began) / 1_000);
}

/** @returns the fate of each record, in their order */
async function giveFates(deps: IngressDeps, { domain, door, gate }: Entry, chunk: Chunk, sorted: readonly Sorted[]): Promise<Fate[]> {
  const starts = firstOfEach(sorted.filter((one) => one.kind === 'start'));
  if (starts.length > 0) await gate.enter(starts.length, chunk.stale);
  if (chunk.stale()) throw new FazendaError('FZ_KAFKA_AWAY', 'the partition moved to another member');

  const started = startedBy.get(chunk) ?? new Set<string>();
  startedBy.set(chunk, started);
  // The order of mail is kept to the end.
  const letNext = (): void => void (sorted.some(({ kind }) => kind === 'mail') || setTimeout(chunk.letNext, NEXT_AFTER_MS));
  const refused = await admitStarts(deps, domain, starts, started, letNext);
  const over = await admitMail(deps, domain, sorted.filter((one) => one.kind === 'mail'));

  const unstorable = (why: string) => new FazendaError('FZ_RECORD_UNSTORABLE', why);
  const dead = sorted.flatMap((one): { record: IncomingRecord; error: FazendaError }[] => {
    if (one.kind === 'dead') return [one];
    if (one.kind === 'start' && refused.has(one.id)) return [{ record: one.record, error: unstorable(refused.get(one.id) ?? '') }];
    return [];
  });
  await deps.producer.send(dead.map(({ record, error }) => deadLetterOf(record, error, door.group, new Date())));
  for (const { record, error } of dead) {
    deadLettered.inc({ topic: record.topic, group: door.group, code: error.code });
    deps.log.warn({ ...aboutRecord(record), group: door.group, code: error.code }, error.message);
  }

  const counted = new Set<string>();
  const fates = sorted.map(fateOf);
  const sums = new Map<Fate, number>();
  for (const fate of fates) sums.set(fate, (sums.get(fate) ?? 0) + 1);
  for (const [fate, records] of sums) ingressRecords.inc({ topic: door.topic, fate }, records);
  if (deps.log.isLevelEnabled('debug')) sorted.forEach((one, at) => deps.log.debug({ ...aboutSorted(domain, one), fate: fates[at] }, 'taken in'));
  return fates;

  function fateOf(one: Sorted): Fate {
    if (one.kind === 'filtered') return 'filtered';
    if (one.kind === 'dead') return 'dead_lettered';
    if (one.kind === 'mail') return over.has(one.id) ? 'filtered' : 'signalled';
    if (refused.has(one.id)) return 'dead_lettered';
    if (!started.has(one.id) || counted.has(one.id)) return 'duplicate';
    counted.add(one.id);
    return 'started';
  }
}

/** Whose story a record is, as it was read: the ids of a start are those that its first fact keeps. */
function aboutSorted({ name: domain }: Domain, one: Sorted): object {
  const about = aboutRecord(one.record);
  if (one.kind === 'start') return { ...about, ...storyIds(one.origin), domain, aggregate_id: one.id };
  return one.kind === 'mail' ? { ...about, domain, aggregate_id: one.id } : about;
}

function firstOfEach<One extends { id: string }>(all: readonly One[]): One[] {
  const seen = new Set<string>();
  return all.filter(({ id }) => !seen.has(id) && seen.add(id));
}
