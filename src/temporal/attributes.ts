import { domains } from '../../workflows/domains';

/**
 * On every lane: the ids of the aggregates aboard, so that the Web UI finds the workflow in which a story runs. They
 * are two, because Temporal bounds the JSON of a list at 2,048 bytes, which is 52 UUIDs, and lanes of a hundred cost
 * a third less CPU a story than lanes of fifty.
 */
export const ABOARD_ATTRIBUTES = ['FazendaAboard', 'FazendaAboardToo'] as const;
const LIST_BYTES_MAX = 2_000;

/** As many of the ids as a lane's attributes have room for, in their order and by attribute, but `countMax` at most. */
export function listsAboard(ids: Iterable<string>, countMax = Infinity): string[][] {
  const lists: string[][] = [[]];
  let count = 0;
  let bytes = 0;
  for (const id of ids) {
    const more = Buffer.byteLength(JSON.stringify(id)) + 1;
    const fits = bytes + more <= LIST_BYTES_MAX;
    if (count === countMax || (!fits && lists.length === ABOARD_ATTRIBUTES.length)) break;
    if (!fits) lists.push([]);
    bytes = fits ? bytes + more : more;
    lists.at(-1)?.push(id);
    count += 1;
  }
  return lists;
}

/** The search attributes that a namespace has to know before a story can start in it, by name, with Temporal's type. */
export function searchAttributes(): Readonly<Record<string, 'Keyword' | 'KeywordList'>> {
  const own = domains.flatMap((domain) => Object.keys(domain.display.searchAttributes));
  const typed = <Type>(names: readonly string[], type: Type) => Object.fromEntries(names.map((name) => [name, type]));
  return { ...typed(own, 'Keyword' as const), ...typed(ABOARD_ATTRIBUTES, 'KeywordList' as const) };
}
