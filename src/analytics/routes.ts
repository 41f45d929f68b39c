import type { Request } from 'express';
import { domains } from '../../workflows/domains';
import type { Operation } from '../api/operation';
import type { QueryParameters } from '../api/paging';
import { isOwned, rowOf } from '../api/queries';
import { jsonReply } from '../api/reply';
import { idOf, type Route } from '../api/routes';
import { callerOf, keptTo } from '../auth/caller';
import type { Config } from '../config';
import { FazendaError } from '../errors';
import type { Queryable } from '../facts/postgres';
import { openClickHouse, type ClickHouse } from './clickhouse';
import { attempts, failures, funnel, revenue, steps, stockTurns, storyTimes, type StoryTimes } from './reports';
import { readSpan, type Span } from './request';

export const ANALYTICS_PATH = '/analytics';

/** Every report by the end of its path. */
const REPORTS = {
  funnel: { read: funnel, summary: 'How many stories reached each event, and which share of those begun' },
  steps: { read: steps, summary: 'Time between consecutive events of a story: mean, quantiles and most, in milliseconds' },
  attempts: { read: attempts, summary: 'How many attempts stories took, by how they ended' },
  failures: { read: failures, summary: 'Why things did not go well, by event and reason' },
  revenue: { read: revenue, summary: 'What was earned on each day (UTC), newest first: exact decimals as text' },
  'stock-turns': { read: stockTurns, summary: 'Pieces of each product that were reserved, released, sold, and are held' },
} satisfies Readonly<Record<string, { read(clickhouse: ClickHouse, span: Span): Promise<readonly object[]>; summary: string }>>;

export type ReportName = keyof typeof REPORTS;
export const REPORT_NAMES = Object.keys(REPORTS) as readonly ReportName[];

/** What analytics has counted. ClickHouse is asked anew each time, and only here: nothing else of the api needs it. */
export function analyticsRoutes({ config, db }: { config: Config; db: Queryable }): Route[] {
  let opened: ClickHouse | undefined;
  // Connections are made when there is something to ask; where no ClickHouse is set, that is what is answered.
  const clickhouse = (): ClickHouse => (opened ??= openClickHouse(config));
  return [
    ...Object.entries(REPORTS).map(([name, { read }]): Route => ({
      method: 'get',
      path: `${ANALYTICS_PATH}/${name}`,
      needs: 'viewer',
      async answer(request) {
        checkSeesAll(request);
        const span = readSpan(request.query as QueryParameters);
        return jsonReply(200, { ...span, items: await read(clickhouse(), span) });
      },
    })),
    {
      method: 'get',
      path: `${ANALYTICS_PATH}/stories/:id`,
      needs: 'viewer',
      async answer(request) {
        const id = idOf(request);
        const stories = await seen(db, request, id, await storyTimes(clickhouse(), id));
        if (stories.length === 0) throw new FazendaError('FZ_NOT_FOUND', `analytics has no event of ${id}`);
        return jsonReply(200, { id, stories });
      },
    },
  ];
}

/** Reports count the objects of all; who is kept to his own is told, as everywhere, that there are none. */
function checkSeesAll(request: Request): void {
  const only = keptTo(callerOf(request));
  if (only !== undefined) throw new FazendaError('FZ_NOT_FOUND', `analytics counts what is everybody's, not what is ${only}'s`);
}

async function seen(db: Queryable, request: Request, id: string, stories: readonly StoryTimes[]): Promise<readonly StoryTimes[]> {
  const only = keptTo(callerOf(request));
  if (only === undefined) return stories;
  const own = await Promise.all(stories.map(async (story) => {
    const domain = domains.find(({ name }) => name === story.domain);
    return domain && isOwned(domain, await rowOf(db, domain, id), only) ? [story] : [];
  }));
  return own.flat();
}

const AWAY = ['FZ_ANALYTICS_OFF', 'FZ_CLICKHOUSE_AWAY', 'FZ_CLICKHOUSE_EMPTY'] as const;

export const analyticsOperations: readonly Operation[] = [
  ...Object.entries(REPORTS).map(([name, { summary }]): Operation => ({
    method: 'get', path: `${ANALYTICS_PATH}/${name}`, tag: 'analytics', reads: 'span', summary,
    answers: { 200: 'The span that was asked for, and items, 1,000 at most' }, faults: ['FZ_QUERY_INVALID', 'FZ_NOT_FOUND', ...AWAY],
  })),
  {
    method: 'get', path: `${ANALYTICS_PATH}/stories/:id`, tag: 'analytics', summary: 'When one story reached each of its events, as ClickHouse has it',
    answers: { 200: 'Its events with their times, and the time from the first, which is when it was accepted' }, faults: ['FZ_NOT_FOUND', 'FZ_POSTGRES_AWAY', ...AWAY],
  },
];
