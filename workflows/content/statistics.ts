import type { Statistics } from '../kernel/statistics';
import type { ContentFact } from './lifecycle';

/** What is counted of content tasks, by windows of time. */
export const contentStatistics: Statistics<ContentFact['type']> = {
  stream: 'content',
  measures: {
    accepted: { kind: 'count', of: ['TaskCreated'], says: 'tasks that were accepted' },
    completed: { kind: 'count', of: ['ContentStored'], says: 'tasks whose content was stored' },
    failed: { kind: 'count', of: ['TaskFailed'], says: 'tasks that ended without content' },
    cancelled: { kind: 'count', of: ['TaskCancelled'], says: 'tasks that somebody ended' },
    attempts: { kind: 'count', of: ['TaskAssigned'], says: 'attempts at generating that began' },
    inFlightChange: { kind: 'change', plus: ['TaskCreated'], minus: ['ContentStored', 'TaskFailed', 'TaskCancelled'], says: 'how many more tasks were accepted than ended' },
    failedBy: { kind: 'tally', of: ['TaskFailed'], field: 'reason', says: 'failed tasks by reason' },
    completionMs: { kind: 'duration', of: ['ContentStored'], says: 'from accepted to stored, of the tasks completed: p50, p95 and max, ms; null where there are none' },
  },
};
