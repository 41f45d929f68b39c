import { domains } from '../../workflows/domains';

/** The search attributes that a namespace has to know before a story can start in it; all are keywords. */
export function searchAttributes(): string[] {
  return [...new Set(domains.flatMap((domain) => Object.keys(domain.display.searchAttributes)))];
}
