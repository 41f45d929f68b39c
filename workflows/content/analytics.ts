import type { Analytics } from '../kernel/analytics';
import type { ContentFact } from './lifecycle';

/** What of a content task is counted. */
export const contentAnalytics: Analytics<ContentFact> = {
  attempt: (fact) => (fact.type === 'TaskAssigned' ? fact.data.attempt : undefined),
  reasons(fact) {
    switch (fact.type) {
      case 'ValidationFailed':
        // A rule that a draft breaks in two ways is broken once.
        return [...new Set(fact.data.failures.map(({ rule }) => rule))];
      case 'TaskFailed':
        return [fact.data.reason];
      case 'TaskCancelled':
        return ['cancelled'];
      default:
        return [];
    }
  },
};
