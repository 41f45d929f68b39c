import { domains } from '../../workflows/domains';
import { factId } from '../facts/identity';

/**
 * On every lane: who is aboard, so that the workflow in which a story runs can be found. They are two, because Temporal
 * bounds the JSON of a list at 2,048 bytes, and a namespace on SQL has room for three such attributes.
 */
export const ABOARD_ATTRIBUTES = ['FazendaAboard', 'FazendaAboardToo'] as const;
const LIST_BYTES_MAX = 2_000;
const MARK_LENGTH = 8;

/** As many may be aboard as the lists have room for, each by its mark, two quotes and a comma. */
export const ABOARD_MAX = ABOARD_ATTRIBUTES.length * Math.floor(LIST_BYTES_MAX / (MARK_LENGTH + 3));

/**
 * The lists of a lane. Ids are listed as they are where all of them fit, which a hundred UUIDs do; of a fuller lane
 * each by its mark, the first eight characters of the `ce_id` of its first fact.
 */
export function listsAboard(domain: string, ids: readonly string[]): string[][] {
  const whole = listsOf(ids);
  return whole.length <= ABOARD_ATTRIBUTES.length ? whole : listsOf(ids.map((id) => markOf(domain, id)));
}

/** What an aggregate may be listed by. */
export function listedAs(domain: string, id: string): readonly [string, string] {
  return [id, markOf(domain, id)];
}

function markOf(domain: string, id: string): string {
  return factId(domain, id, 1).slice(0, MARK_LENGTH);
}

function listsOf(values: readonly string[]): string[][] {
  const lists: string[][] = [];
  let bytes = Infinity;
  for (const value of values) {
    const more = Buffer.byteLength(JSON.stringify(value)) + 1;
    if (bytes + more > LIST_BYTES_MAX) {
      lists.push([]);
      bytes = 0;
    }
    lists.at(-1)?.push(value);
    bytes += more;
  }
  return lists;
}

/** The search attributes that a namespace has to know before a story can start in it, by name, with Temporal's type. */
export function searchAttributes(): Readonly<Record<string, 'Keyword' | 'KeywordList'>> {
  const own = domains.flatMap((domain) => Object.keys(domain.display.searchAttributes));
  const typed = <Type>(names: readonly string[], type: Type) => Object.fromEntries(names.map((name) => [name, type]));
  return { ...typed(own, 'Keyword' as const), ...typed(ABOARD_ATTRIBUTES, 'KeywordList' as const) };
}
