import type { Request } from 'express';
import { z } from 'zod';
import { openClickHouse, type ClickHouse } from '../analytics/clickhouse';
import { instantOf } from '../analytics/event';
import { ANALYTICS_PATH } from '../analytics/routes';
import type { Operation } from '../api/operation';
import { jsonReply } from '../api/reply';
import type { Route } from '../api/routes';
import { callerOf, keptTo } from '../auth/caller';
import type { Config } from '../config';
import { FazendaError } from '../errors';
import { readWindow } from './contract';
import { windowStreams } from './streams';
import { WINDOWS } from './tables';

const PATH = `${ANALYTICS_PATH}/windows`;
/** Windows of one answer. */
const WINDOWS_MAX = 1_000;

const STREAMS = windowStreams().map(({ topic }) => topic);
const request = z.strictObject({ stream: z.enum(STREAMS), from: z.iso.datetime({ offset: true }).optional(), until: z.iso.datetime({ offset: true }).optional() });

/** What was said last of each window, as ClickHouse has it: the same as on the stream's topic, a moment later. */
export function windowRoutes(config: Config): Route[] {
  let opened: ClickHouse | undefined;
  const clickhouse = (): ClickHouse => (opened ??= openClickHouse(config));
  return [{
    method: 'get',
    path: PATH,
    needs: 'viewer',
    async answer(asked) {
      // They count the objects of all; who is kept to his own is told, as everywhere, that there are none.
      if (keptTo(callerOf(asked)) !== undefined) throw new FazendaError('FZ_NOT_FOUND', 'windows count what is everybody\'s');
      const { stream, from, until } = readRequest(asked);
      return jsonReply(200, { stream, from, until, items: await windowsOf(clickhouse(), stream, from, until) });
    },
  }];
}

function readRequest({ query }: Request): z.infer<typeof request> {
  const parsed = request.safeParse(Object.fromEntries(Object.entries(query).filter(([, value]) => value !== '')));
  if (parsed.success) return parsed.data;
  const fields = parsed.error.issues.map((issue) => ({ path: issue.path.join('.') || 'query', message: issue.message }));
  throw new FazendaError('FZ_QUERY_INVALID', fields.map(({ path, message }) => `${path}: ${message}`).join('; '), { fields });
}

async function windowsOf(clickhouse: ClickHouse, stream: string, from: string | undefined, until: string | undefined): Promise<object[]> {
  const terms = ['stream = {stream: String}', ...(from ? ['start >= {from: DateTime64(3)}'] : []), ...(until ? ['start < {until: DateTime64(3)}'] : [])];
  const parameters = { stream, ...(from && { from: instantOf(from) }), ...(until && { until: instantOf(until) }) };
  const rows = await clickhouse.select<{ value: string }>(`SELECT value FROM ${WINDOWS} WHERE ${terms.join(' AND ')} ORDER BY start DESC LIMIT ${WINDOWS_MAX}`, parameters);
  return rows.flatMap(({ value }) => readWindow(value) ?? []);
}

export const windowOperations: readonly Operation[] = [{
  method: 'get', path: PATH, tag: 'analytics', reads: 'windows', summary: `What happened in each window of time, newest first; stream is one of ${STREAMS.join(', ')}`,
  answers: { 200: 'The windows that begin at `from` or later and before `until`, 1,000 at most' },
  faults: ['FZ_QUERY_INVALID', 'FZ_NOT_FOUND', 'FZ_ANALYTICS_OFF', 'FZ_CLICKHOUSE_AWAY', 'FZ_CLICKHOUSE_EMPTY'],
}];
