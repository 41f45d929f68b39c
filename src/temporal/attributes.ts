import { domains } from '../../workflows/domains';

/** On every lane: the ids of the aggregates aboard, so that the Web UI finds the workflow in which a story runs. */
export const ABOARD_ATTRIBUTE = 'FazendaAboard';

/** The search attributes that a namespace has to know before a story can start in it, by name, with Temporal's type. */
export function searchAttributes(): Readonly<Record<string, 'Keyword' | 'KeywordList'>> {
  const own = domains.flatMap((domain) => Object.keys(domain.display.searchAttributes));
  return { ...Object.fromEntries(own.map((name) => [name, 'Keyword' as const])), [ABOARD_ATTRIBUTE]: 'KeywordList' };
}
