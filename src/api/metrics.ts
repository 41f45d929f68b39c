import { AggregatorRegistry, Histogram, type MetricObjectWithValues, type MetricValue, type Registry } from 'prom-client';
import type { NextFunction, Request, Response } from 'express';
import { textOf } from '../errors';
import type { Logger } from '../log';
import { registry } from '../metrics';
import type { Reply } from './reply';

type Metrics = MetricObjectWithValues<MetricValue<string>>[];

/** A process that does not give its numbers by then is left out of the page, ms. */
const PEER_TIMEOUT_MS = 1_000;

const requestSeconds = new Histogram({
  name: 'fazenda_http_request_duration_seconds',
  help: 'Time from a request to its answer, by route',
  labelNames: ['method', 'route', 'status'] as const,
  buckets: [0.005, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
  registers: [registry],
});

/** Times every request. Labelled by the route's pattern, never by its path, of which there is no end. */
export function timeRequests(request: Request, response: Response, next: NextFunction): void {
  const stop = requestSeconds.startTimer();
  response.once('finish', () => {
    const route = request.route as { path?: unknown } | undefined;
    stop({ method: request.method, route: typeof route?.path === 'string' ? route.path : 'none', status: String(response.statusCode) });
  });
  next();
}

/** Prometheus text of this process and of its peers, one page; a peer that is away is left out and logged. */
export async function metricsPage(own: Registry, peers: readonly string[], log: Logger): Promise<Reply> {
  const pages = await Promise.all([own.getMetricsAsJSON() as Promise<Metrics>, ...peers.map((peer) => peerMetrics(peer, log))]);
  const text = await AggregatorRegistry.aggregate(pages).metrics();
  return { status: 200, headers: { 'content-type': own.contentType }, body: text };
}

async function peerMetrics(peer: string, log: Logger): Promise<Metrics> {
  const base = /^https?:\/\//.test(peer) ? peer : `http://${peer}`;
  try {
    const answer = await fetch(new URL('/metrics.json', base), { signal: AbortSignal.timeout(PEER_TIMEOUT_MS) });
    const metrics: unknown = await answer.json();
    if (!Array.isArray(metrics)) throw new Error('its metrics are no list');
    return metrics as Metrics;
  } catch (thrown) {
    log.debug({ peer, cause: textOf(thrown) }, 'a process does not give its metrics');
    return [];
  }
}
