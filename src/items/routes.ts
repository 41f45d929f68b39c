import type { Request, Response } from 'express';
import { parseBody, validBody } from '../api/body';
import { correlationOf, correlationWasGiven, headerId, traceparentOf } from '../api/correlation';
import { matches } from '../api/queries';
import { jsonReply, type Reply } from '../api/reply';
import { listRows } from '../api/resources';
import type { Row } from '../api/rows';
import { idOf, withKey, type Route } from '../api/routes';
import { callerOf, keptTo, nameOf } from '../auth/caller';
import type { Config } from '../config';
import { FazendaError, textOf } from '../errors';
import { openHint } from '../facts/hint';
import type { Queryable } from '../facts/postgres';
import type { Logger } from '../log';
import { itemChanges, newItem, type ItemChanges, type NewItem } from './messages';
import { openItems, unknownItem, type ItemCall, type ItemRow } from './store';

export const ITEMS_PATH = '/v1/items';

export interface ItemRouteDeps {
  readonly config: Config;
  readonly db: Queryable;
  readonly log: Logger;
}

/** CRUD of items. None of it needs Kafka: what happened to an item is told by the relay, later. */
export function itemRoutes({ config, db, log }: ItemRouteDeps): Route[] {
  const hint = openHint(db, (trouble) => log.debug({ cause: textOf(trouble) }, 'a relay was not woken'));
  const items = openItems(db, config.OBSERVABILITY__KAFKA_ENABLED, hint);
  const one = `${ITEMS_PATH}/:id`;
  return [
    {
      method: 'post',
      path: ITEMS_PATH,
      needs: 'submitter',
      answer(request, response) {
        const body = validBody(newItem, parseBody(request.body)) as NewItem;
        const call = callOf(request, response);
        return withKey({ db, log }, ITEMS_PATH, request, response, body, async (freshId) => {
          const correlationId = correlationWasGiven(request) ? call.correlationId : freshId;
          const row = await items.create(freshId, body, { ...call, correlationId });
          return itemReply(201, row, { location: `${ITEMS_PATH}/${row.id}` });
        });
      },
    },
    { method: 'get', path: ITEMS_PATH, needs: 'viewer', answer: (request) => listRows(db, { table: 'items', owner: 'created_by', show }, request.query, keptTo(callerOf(request))) },
    {
      method: 'get',
      path: one,
      needs: 'viewer',
      async answer(request) {
        const row = await items.read(idOf(request));
        owned(request)(row);
        if (matches(request.headers['if-none-match'], etagOf(row))) return { status: 304, headers: headersOf(row), body: '' };
        return itemReply(200, row);
      },
    },
    {
      method: 'patch',
      path: one,
      needs: 'submitter',
      async answer(request, response) {
        const changes = validBody(itemChanges, parseBody(request.body)) as ItemChanges;
        return itemReply(200, await items.update(idOf(request), changes, callOf(request, response), mayChange(request)));
      },
    },
    {
      method: 'delete',
      path: one,
      needs: 'submitter',
      async answer(request, response) {
        await items.remove(idOf(request), callOf(request, response), mayChange(request));
        return { status: 204, headers: {}, body: '' };
      },
    },
  ];
}

/** Who calls: `x-user-id`, else whom the token names, else `anonymous` (CONTRACTS §7). */
function callOf(request: Request, response: Response): ItemCall {
  const userId = nameOf(request, headerId(request, 'x-user-id')) ?? 'anonymous';
  return { userId, correlationId: correlationOf(response), traceparent: traceparentOf(request) };
}

/** Who made an item is its owner: to a submitter, those of others are not there (docs/access.md). */
function owned(request: Request): (row: ItemRow) => void {
  const only = keptTo(callerOf(request));
  return ({ id, created_by }) => {
    if (only !== undefined && created_by !== only) unknownItem(id);
  };
}

/** What is not there for the caller has no version to speak of, either. */
function mayChange(request: Request): (row: ItemRow) => void {
  const [isTheirs, isAsSeen] = [owned(request), ifMatch(request)];
  return (row) => {
    isTheirs(row);
    isAsSeen(row);
  };
}

/** Refuses a change of another version than the caller saw, where it says which one that was. */
function ifMatch(request: Request): (row: ItemRow) => void {
  const seen = request.headers['if-match'];
  return (row) => {
    // RFC 9110 §13.1.1: the comparison is the strong one, and ours are strong.
    const named = seen?.split(',').map((tag) => tag.trim());
    if (named === undefined || named.includes('*') || named.includes(etagOf(row))) return;
    throw new FazendaError('FZ_VERSION_CHANGED', `${row.id} is at version ${row.version}`);
  };
}

function itemReply(status: number, row: ItemRow, headers: Readonly<Record<string, string>> = {}): Reply {
  return jsonReply(status, show({ ...row }), { ...headersOf(row), ...headers });
}

function headersOf(row: ItemRow): Record<string, string> {
  return { etag: etagOf(row), 'cache-control': 'no-cache' };
}

function etagOf({ version }: ItemRow): string {
  return `"${version}"`;
}

/** As readers see it, in S2's spelling, which its events have too. */
function show({ id, name, sku, created_by, created_at, updated_at }: Row): object {
  return { id, name, sku, created_by, created_at, updated_at };
}
