import type { StoredFact } from '../facts/read';
import { recordOfFact } from '../relay/publish';
import type { WireFormats } from '../schemas/wire';
import type { Found } from './kinds';
import { digestOf, digestOfData, digestOfHeaders, type Asking, type Telling, type Testimony } from './testimony';

/** What bears on whether a record has to be on its topic. */
export interface TopicsAt {
  /** A fact that was published before this instant may have been forgotten by its topic. */
  keptSince(topic: string): Date;
  /** True where the group has taken the record at this place in. */
  taken(group: string, place: string): boolean;
  /** True where the record at this place was put aside as a dead letter. */
  dead(place: string): boolean;
  /** False where the partition has forgotten this place. */
  kept(place: string): boolean;
  /** How facts are written. */
  readonly formats: WireFormats;
}

/** Where the topics and the facts of one aggregate disagree. */
export function compareTopics(testimony: Testimony, at: TopicsAt): Found[] {
  const { facts, told } = testimony;
  const stored = new Set(facts.map(({ version }) => version));
  const last = facts.at(-1)?.version ?? 0;
  const found = facts.flatMap((fact) => ofFact(fact, told?.tellings.get(fact.version) ?? [], told?.askings ?? [], at));
  // A first fact that is written where its door reads is only asked for, until the door has taken it in.
  const asked = new Set(told?.askings.map(({ place }) => place));
  const lost = [...(told?.tellings ?? [])].flatMap(([version, tellings]): Found[] => {
    const telling = tellings.find(({ place }) => !asked.has(place));
    // A version below the last is said to be a gap of the facts.
    if (stored.has(version) || version < last || !telling) return [];
    return [{ kind: 'fact-lost', version, said: `${telling.place} tells ${telling.type}, the facts end at version ${last}` }];
  });
  const taken = told?.askings.find(({ group, place }) => at.taken(group, place) && !at.dead(place));
  if (last === 0 && taken && !lost.some(({ version }) => version === 1)) found.push({ kind: 'start-missing', said: `${taken.place} was taken in by ${taken.group}` });
  return [...found, ...lost];
}

function ofFact(fact: StoredFact, tellings: readonly Telling[], askings: readonly Asking[], at: TopicsAt): Found[] {
  const { version, type, topic, publishedAt, origin } = fact;
  if (origin !== null) return ofOrigin(fact, origin, tellings, askings, at);
  const [wrong] = tellings.filter((telling) => !agrees(fact, telling, at.formats));
  if (wrong) return [{ kind: 'record-differs', version, said: `${wrong.place} is not the stored ${type}${headersAgree(fact, wrong, at.formats) ? '' : ', by its headers'}` }];
  if (tellings.length > 0) return publishedAt === null ? [{ kind: 'unpublished', version, said: `${type} is on ${topic} and does not count as published` }] : [];
  if (publishedAt === null) return [{ kind: 'unpublished', version, said: `${type} waits to be put on ${topic}` }];
  if (publishedAt < at.keptSince(topic)) return [];
  return [{ kind: 'record-missing', version, said: `${type} was put on ${topic} at ${publishedAt.toISOString()} and is not there` }];
}

/** A first fact that is a partner's record, or the api's: that record alone counts, whatever comes after it. */
function ofOrigin(fact: StoredFact, origin: string, tellings: readonly Telling[], askings: readonly Asking[], at: TopicsAt): Found[] {
  const { version, type } = fact;
  const there = askings.find(({ place }) => place === origin);
  if (there) return there.data === digestOfData(fact.data) ? [] : [{ kind: 'record-differs', version, said: `${origin} is not the stored ${type}` }];
  // Put there again by a recovery, it has another place.
  if (tellings.some((telling) => telling.data === digestOfData(fact.data)) || !at.kept(origin)) return [];
  if (fact.publishedAt !== null && fact.publishedAt < at.keptSince(fact.topic)) return [];
  return [{ kind: 'origin-missing', version, said: `${type} came in as ${origin}, which is not there` }];
}

function agrees(fact: StoredFact, telling: Telling, formats: WireFormats): boolean {
  if (telling.type !== fact.type || !headersAgree(fact, telling, formats)) return false;
  // An encoding that was changed since is no contradiction: then the data decides.
  return telling.data === digestOfData(fact.data) || telling.bytes === digestOf(recordOfFact(fact, formats).value ?? '');
}

function headersAgree(fact: StoredFact, telling: Telling, formats: WireFormats): boolean {
  return telling.headers === digestOfHeaders(recordOfFact(fact, formats).headers);
}
