import type { Domain, StartDoor } from '../../workflows/kernel/definition';
import type { Config } from '../config';
import { FazendaError } from '../errors';
import { factId, isOurs, sourceOf } from '../facts/identity';
import { placeOf, sortRecord } from '../ingress/sort';
import { deadLetterTopic } from '../kafka/client';
import type { Codec } from '../kafka/codec';
import type { IncomingRecord } from '../kafka/port';
import type { Logger } from '../log';
import { noticedTopics } from '../notify/dispatch';
import { extentsOf, readTopics } from '../replay/read-topics';
import type { Difference } from './kinds';
import { SOURCES, type Source } from './sources';
import { digestOf, digestOfData, digestOfHeaders, type Told } from './testimony';

/** What a topic carries: facts of some sources, requests for stories, or both. */
interface Carried {
  readonly tells: readonly Source[];
  readonly door: { readonly domain: Domain; readonly door: StartDoor } | undefined;
}

/** Which aggregates are looked at; `at` is the time of what is told of them. */
export type Wanted = (aggregate: string, id: string, at?: string) => boolean;

/**
 * What the topics say, aggregate by aggregate. It reads on from where it was each time it is asked, so that a
 * second look costs only what came since. What it keeps of a record is a few hundred bytes.
 */
export class TopicTeller {
  private readonly told = new Map<string, Told>();
  private readonly ends = new Map<string, bigint>();
  private readonly lows = new Map<string, bigint>();
  private readonly deadPlaces = new Set<string>();
  private readonly carried = carriedByTopic();
  private count = 0;

  constructor(
    private readonly config: Config,
    private readonly log: Logger,
    private readonly codec: Codec,
    private readonly wanted: Wanted,
    private readonly onForged: (forged: Difference) => void,
  ) {}

  /** Reads to where the topics end now. @throws FazendaError FZ_KAFKA_AWAY, FZ_SCHEMA_REGISTRY_AWAY */
  async readOn(): Promise<void> {
    const doors = [...this.carried].flatMap(([topic, { door }]) => (door ? [topic] : []));
    const topics = [...this.carried.keys(), ...[...doors, ...noticedTopics()].map(deadLetterTopic)];
    const extents = await extentsOf(this.config, this.log, topics);
    for (const { topic, partition, low } of extents) this.lows.set(`${topic}/${partition}`, low);
    for await (const records of readTopics(this.config, this.log, topics, this.ends)) {
      await this.codec.learn(records);
      for (const record of records) this.hear(record);
      const last = records.at(-1);
      if (last) this.ends.set(`${last.topic}/${last.partition}`, BigInt(last.offset) + 1n);
    }
  }

  /** Records read so far. */
  get records(): number {
    return this.count;
  }

  of(aggregate: string, id: string): Told | undefined {
    return this.told.get(keyOf(aggregate, id));
  }

  /** Aggregates of which the topics tell something. */
  *aggregates(): Generator<[aggregate: string, id: string], void, void> {
    for (const key of this.told.keys()) {
      const at = key.indexOf('/');
      yield [key.slice(0, at), key.slice(at + 1)];
    }
  }

  /** Keeps no more than what is told of these. */
  keepOnly(kept: ReadonlySet<string>): void {
    for (const key of this.told.keys()) if (!kept.has(key)) this.told.delete(key);
  }

  /** True where the record at this place was put aside. */
  dead(place: string): boolean {
    return this.deadPlaces.has(place);
  }

  /** False where the partition has forgotten this place. */
  kept(place: string): boolean {
    const [topic = '', partition = '', offset = '0'] = place.split('/');
    return BigInt(offset) >= (this.lows.get(`${topic}/${partition}`) ?? 0n);
  }

  private hear(record: IncomingRecord): void {
    this.count += 1;
    const carried = this.carried.get(record.topic);
    if (!carried) return void this.deadPlaces.add(`${record.headers.dlq_topic ?? ''}/${record.headers.dlq_partition ?? ''}/${record.headers.dlq_offset ?? ''}`);
    const ours = isOurs(record.headers.ce_source);
    const { door } = carried;
    if (door && !(ours && door.door.foreignOnly)) this.hearAsking(door.domain, door.door, record);
    if (ours && carried.tells.length > 0) this.hearTelling(carried.tells, record);
  }

  private hearAsking(domain: Domain, door: StartDoor, record: IncomingRecord): void {
    const sorted = sortRecord(domain, door, record, this.codec);
    if (sorted.kind !== 'start' || !this.wanted(domain.name, sorted.id, sorted.fact.at)) return;
    const { fact, origin } = sorted;
    this.toldOf(domain.name, sorted.id).askings.push({ place: origin.place, group: door.group, data: digestOfData(fact.data), isFact: origin.published });
  }

  private hearTelling(sources: readonly Source[], record: IncomingRecord): void {
    const { ce_source: from, ce_subject: id = '', ce_id: ceId, ce_type: type = '', ce_sequence: sequence } = record.headers;
    const source = sources.find(({ name }) => sourceOf(name) === from);
    // A command of ours on a topic of somebody's facts has no sequence and tells nothing.
    if (sequence === undefined) return;
    const version = Number(sequence);
    const aggregate = source?.name ?? String(from).slice('/fazenda/'.length);
    if (!this.wanted(aggregate, id, record.headers.ce_time)) return;
    const place = placeOf(record);
    const forged = (why: string): void => this.onForged({ kind: 'record-forged', aggregate, id, ...(Number.isInteger(version) && { version }), said: `${place}: ${why}` });
    if (!source) return forged(`${from ?? ''} tells nothing on ${record.topic}`);
    if (!Number.isInteger(version) || version < 1) return forged(`its ce_sequence is ${sequence}`);
    if (ceId !== factId(source.name, id, version)) return forged(`its ce_id is ${ceId ?? 'missing'}, due is ${factId(source.name, id, version)}`);
    if (source.topics[type] !== record.topic) return forged(`${type} is not told on ${record.topic}`);
    if (String(record.key) !== id) return forged(`its key is ${String(record.key)}, so it is out of the order of its aggregate`);
    const data = dataOf(this.codec, record);
    const telling = { version, place, type, headers: digestOfHeaders(record.headers), data: data === undefined ? 'undecodable' : digestOfData(data), bytes: digestOf(record.value ?? '') };
    const { tellings } = this.toldOf(source.name, id);
    const known = tellings.get(version);
    if (!known) tellings.set(version, [telling]);
    // The same again is no news.
    else if (!known.some((one) => one.headers === telling.headers && one.bytes === telling.bytes)) known.push(telling);
  }

  private toldOf(aggregate: string, id: string): Told {
    const key = keyOf(aggregate, id);
    const known = this.told.get(key);
    if (known) return known;
    const fresh: Told = { tellings: new Map(), askings: [] };
    this.told.set(key, fresh);
    return fresh;
  }
}

/** How an aggregate is named in maps. */
export function keyOf(aggregate: string, id: string): string {
  return `${aggregate}/${id}`;
}

/** Undefined where the value is no document: what a fact says it never is. */
function dataOf(codec: Codec, { topic, value }: IncomingRecord): unknown {
  try {
    return codec.decode(topic, value);
  } catch (thrown) {
    if (thrown instanceof FazendaError && !thrown.kind.retryable) return undefined;
    throw thrown;
  }
}

function carriedByTopic(): Map<string, Carried> {
  const carried = new Map<string, Carried>();
  for (const source of SOURCES) {
    for (const topic of new Set(Object.values(source.topics))) {
      const known = carried.get(topic);
      carried.set(topic, { tells: [...(known?.tells ?? []), source], door: known?.door });
    }
    const { domain } = source;
    for (const door of domain?.doors ?? []) {
      if (door.kind === 'start' && domain) carried.set(door.topic, { tells: carried.get(door.topic)?.tells ?? [], door: { domain, door } });
    }
  }
  return carried;
}
