import type { Client } from '@temporalio/client';
import express, { type Express, type RequestHandler } from 'express';
import type { Registry } from 'prom-client';
import type { Domain } from '../../workflows/kernel/definition';
import { analyticsRoutes } from '../analytics/routes';
import { openAuthenticator } from '../auth/authenticator';
import { guardsOf } from '../auth/guard';
import type { Config } from '../config';
import { deadLetterRoutes } from '../deadletters/routes';
import { FazendaError } from '../errors';
import type { Queryable } from '../facts/postgres';
import { itemRoutes } from '../items/routes';
import type { Producer } from '../kafka/port';
import type { Logger } from '../log';
import { replayRoutes } from '../replay/routes';
import { pushRoutes } from '../path/routes';
import { traceRequests } from '../tracing/requests';
import { logRequests } from './request-log';
import { windowRoutes } from '../windows/routes';
import { readBody } from './body';
import { correlate, correlationOf } from './correlation';
import { absenceNamed } from './database';
import type { Watch } from './dependencies';
import { docsRoutes } from './docs';
import { eventDocsRoutes } from './event-docs';
import { LIVE, SOCKET_IO, type GatewayProxy } from './gateway-proxy';
import { kafkaRoutes } from './kafka-routes';
import { metricsPage, timeRequests } from './metrics';
import { startPage } from './page';
import { answerFaults } from './problem';
import { health, livez, readyz } from './probes';
import { sendReply } from './reply';
import { domainRoutes, type Route } from './routes';
import { securityHeaders } from './security';

export interface ApiDeps {
  readonly config: Config;
  readonly log: Logger;
  readonly db: Queryable;
  readonly producer: Producer;
  readonly temporal: Client;
  readonly watch: Watch;
  readonly metrics: Registry;
  readonly domains: readonly Domain[];
  readonly gateway: GatewayProxy;
}

/**
 * The REST door, composed of the domains' definitions.
 * @throws FazendaError FZ_CONFIG_INVALID where it would listen beyond loopback without a token
 */
export function createApp(deps: ApiDeps): Express {
  const { config, log, watch, metrics, domains, gateway } = deps;
  const app = express();
  app.disable('x-powered-by');
  app.disable('etag');
  app.enable('case sensitive routing');

  app.use(traceRequests, logRequests(log), timeRequests, securityHeaders, correlate);
  const guards = guardsOf(openAuthenticator(config), config.ANYONE_NEEDS_TOKEN);
  app.use(...guards('viewer').map(forLive), gateway.middleware);

  const own: Route[] = [
    { method: 'get', path: '/livez', needs: 'anyone', answer: () => livez() },
    { method: 'get', path: '/readyz', needs: 'anyone', answer: (_request, response) => readyz(config, watch, correlationOf(response)) },
    { method: 'get', path: '/health', needs: 'anyone', answer: () => health(config, watch) },
    { method: 'get', path: '/metrics', needs: 'viewer', answer: () => metricsPage(metrics, config.METRICS_PEERS, log) },
    { method: 'get', path: '/', needs: 'anyone', answer: () => startPage(domains) },
  ];
  const named = { ...deps, db: absenceNamed(deps.db) };
  const routes = [...own, ...domainRoutes(named, domains), ...itemRoutes(named), ...kafkaRoutes(named), ...deadLetterRoutes(named), ...replayRoutes(named), ...pushRoutes(config), ...analyticsRoutes(named), ...windowRoutes(config), ...eventDocsRoutes(config)];
  mount(app, guards, [...routes, ...docsRoutes(domains, routes, (needs) => guards(needs).length > 0)]);

  app.use(...guards('viewer'), (request) => {
    throw new FazendaError('FZ_NOT_FOUND', `there is nothing at ${request.path}`);
  });
  app.use(answerFaults(log));
  return app;
}

/** A browser's Socket.IO shows its token in its first packet to the gateway, which asks everybody for one; all else is asked here. */
function forLive(check: RequestHandler): RequestHandler {
  return (request, response, next) => {
    const later = SOCKET_IO.test(request.url) && request.headers.authorization === undefined;
    return LIVE.test(request.url) && !later ? check(request, response, next) : next();
  };
}

/** Every path answers the methods it has, OPTIONS with their names, and the others with 405. */
function mount(app: Express, guards: ReturnType<typeof guardsOf>, routes: readonly Route[]): void {
  for (const path of new Set(routes.map((route) => route.path))) {
    const here = routes.filter((route) => route.path === path);
    const at = app.route(path);
    for (const { method, needs, answer } of here) {
      const handle: RequestHandler = async (request, response) => sendReply(response, await answer(request, response));
      if (method === 'get' || method === 'delete') at[method](...guards(needs), handle);
      else at[method](...guards(needs), ...readBody, handle);
    }
    const allowed = ['OPTIONS', ...here.flatMap(({ method }) => (method === 'get' ? ['GET', 'HEAD'] : [method.toUpperCase()]))].join(', ');
    at.all(...guards('viewer'), (request, response) => {
      response.setHeader('allow', allowed);
      if (request.method !== 'OPTIONS') throw new FazendaError('FZ_METHOD_NOT_ALLOWED', `${path} takes ${allowed}`);
      sendReply(response, { status: 204, headers: {}, body: '' });
    });
  }
}
