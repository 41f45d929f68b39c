import { randomUUID } from 'node:crypto';
import type { Client } from '@temporalio/client';
import type { Request, Response } from 'express';
import type { Domain, HttpCommand, HttpQuery, HttpResource, HttpUpdate } from '../../workflows/kernel/definition';
import { callerOf, keptTo } from '../auth/caller';
import { checkOwned, checkSigned, signed } from '../auth/owners';
import { fingerprintOf } from '../canonical';
import type { Config } from '../config';
import type { Queryable } from '../facts/postgres';
import type { Producer } from '../kafka/port';
import type { Logger } from '../log';
import { parseBody, validBody } from './body';
import { runCommand } from './commands';
import { correlationOf, correlationWasGiven, headerId, traceparentOf } from './correlation';
import { once } from './idempotency';
import { faultOf, problemReply } from './problem';
import { readList, readOne } from './queries';
import type { Reply } from './reply';
import type { Needs } from './roles';
import { createRow, listRows, readRow } from './resources';
import { runUpdate } from './updates';

/** One method of one path. `path` is Express's pattern. */
export interface Route {
  readonly method: 'get' | 'post' | 'patch' | 'delete';
  readonly path: string;
  readonly needs: Needs;
  answer(request: Request, response: Response): Promise<Reply> | Reply;
}

export interface RouteDeps {
  readonly config: Config;
  readonly db: Queryable;
  readonly producer: Producer;
  readonly temporal: Client;
  readonly log: Logger;
}

/** Everything that the domains offer over HTTP, found in their definitions. */
export function domainRoutes(deps: RouteDeps, domains: readonly Domain[]): Route[] {
  return domains.flatMap((domain) => [
    ...domain.http.commands.map((command) => commandRoute(deps, domain, command)),
    ...domain.http.resources.flatMap((resource) => resourceRoutes(deps, resource)),
    ...domain.http.queries.flatMap((query) => queryRoutes(deps, domain, query)),
    ...(domain.http.updates ?? []).map((update) => updateRoute(deps, domain, update)),
  ]);
}

function commandRoute(deps: RouteDeps, domain: Domain, command: HttpCommand): Route {
  return {
    method: 'post',
    path: command.path,
    needs: 'submitter',
    answer(request, response) {
      const caller = callerOf(request);
      const body = validBody(command.body, signed(caller, command, parseBody(request.body)));
      checkSigned(caller, command, body);
      const correlationId = correlationOf(response);
      const correlationGiven = correlationWasGiven(request);
      const traceparent = traceparentOf(request);
      return withKey(deps, command.path, request, response, body, async (freshId) => {
        const context = { freshId, correlationId: correlationGiven ? correlationId : freshId, correlationGiven };
        if (command.kind === 'concerns') await checkOwned(deps.db, caller, domain, () => command.accept(body as never, { ...context, at: '' }).aggregateId);
        return runCommand(deps, domain, command, { body, ...context, traceparent });
      });
    },
  };
}

function resourceRoutes(deps: RouteDeps, resource: HttpResource): Route[] {
  const { db } = deps;
  return [
    {
      method: 'post',
      path: resource.path,
      needs: 'operator',
      answer(request, response) {
        const body = validBody(resource.body, parseBody(request.body));
        return withKey(deps, resource.path, request, response, body, (freshId) => createRow(db, resource, body, freshId));
      },
    },
    { method: 'get', path: resource.path, needs: 'viewer', answer: (request) => listRows(db, resource, request.query, keptTo(callerOf(request))) },
    { method: 'get', path: `${resource.path}/:id`, needs: 'viewer', answer: (request) => readRow(db, resource, idOf(request), keptTo(callerOf(request))) },
  ];
}

function queryRoutes({ db }: RouteDeps, domain: Domain, query: HttpQuery): Route[] {
  const one: Route = {
    method: 'get',
    path: `${query.path}/:id`,
    needs: 'viewer',
    answer: (request) => readOne(db, domain, query, idOf(request), request.headers['if-none-match'], keptTo(callerOf(request))),
  };
  return query.list ? [{ method: 'get', path: query.path, needs: 'viewer', answer: (request) => readList(db, domain, query, request.query, keptTo(callerOf(request))) }, one] : [one];
}

function updateRoute(deps: RouteDeps, domain: Domain, update: HttpUpdate): Route {
  const query = domain.http.queries.find(({ path }) => path === update.path);
  if (!query) throw new Error(`${domain.name} has no query that shows what an update at ${update.path} did`);
  return {
    method: 'patch',
    path: `${update.path}/:id`,
    needs: 'operator',
    answer(request) {
      const body = validBody(update.body, parseBody(request.body));
      return runUpdate(deps, domain, query, idOf(request), update.mail(body as never));
    },
  };
}

/** The id in a path that ends in `:id`. */
export function idOf({ params }: Request): string {
  const { id } = params;
  return typeof id === 'string' ? id : '';
}

/**
 * Runs the work of a POST, once for its Idempotency-Key where it has one. What the work refuses with a 4xx
 * is an answer like any other and is remembered; so are the headers, correlation id included, because the
 * remembered body speaks of the first request.
 */
export async function withKey(
  { db, log }: Pick<RouteDeps, 'db' | 'log'>, path: string, request: Request, response: Response, body: unknown, work: (freshId: string) => Promise<Reply>,
): Promise<Reply> {
  const key = headerId(request, 'idempotency-key');
  const freshId = correlationWasGiven(request) ? randomUUID() : correlationOf(response);
  if (key === undefined) return work(freshId);
  const correlationId = correlationOf(response);
  const use = {
    scope: `${request.method} ${path} ${[callerOf(request).subject, headerId(request, 'x-user-id') ?? []].flat().join('/')}`,
    key,
    fingerprint: fingerprintOf(body),
  };
  return once(db, use, freshId, async (id) => {
    const reply = await answered(() => work(id));
    return { ...reply, headers: { ...reply.headers, 'x-correlation-id': correlationWasGiven(request) ? correlationId : id } };
  });

  async function answered(attempt: () => Promise<Reply>): Promise<Reply> {
    try {
      return await attempt();
    } catch (thrown) {
      return problemReply(faultOf(thrown, log, correlationId), correlationId);
    }
  }
}
