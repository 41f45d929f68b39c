import type { NextFunction, Request, Response } from 'express';
import type { Logger } from '../log';
import { traceOf } from '../tracing/requests';
import { correlationOf } from './correlation';

/** Asked every few seconds by machines, and about nobody's work. */
const PROBES = /^\/(livez|readyz|health|metrics)$/;

/**
 * One line a request once it is answered: by its route's pattern, without its body, its query or who sent it. It has
 * the ids under which every other process speaks of what the request began.
 */
export function logRequests(log: Logger) {
  return (request: Request, response: Response, next: NextFunction): void => {
    const level = PROBES.test(request.path) ? 'debug' : 'info';
    if (!log.isLevelEnabled(level)) return next();
    const begun = performance.now();
    response.once('close', () => {
      const route = request.route as { path?: unknown } | undefined;
      log[level]({
        method: request.method,
        route: typeof route?.path === 'string' ? route.path : 'none',
        status: response.statusCode,
        ms: Math.round((performance.now() - begun) * 10) / 10,
        correlation_id: correlationOf(response),
        trace_id: traceOf(request).traceId,
        ...(!response.writableFinished && { hung_up: true }),
      }, 'request');
    });
    next();
  };
}
