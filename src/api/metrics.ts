import { AggregatorRegistry, Gauge, Histogram, type Registry } from 'prom-client';
import type { NextFunction, Request, Response } from 'express';
import { textOf } from '../errors';
import type { Logger } from '../log';
import { ownMetrics, registry } from '../metrics';
import type { PageMetric } from '../prometheus-text';
import type { Reply } from './reply';

/** A process that does not give its numbers by then is left out of the page, ms. */
const PEER_TIMEOUT_MS = 1_000;

const requestSeconds = new Histogram({
  name: 'fazenda_http_request_duration_seconds',
  help: 'Time from a request to its answer, by route',
  labelNames: ['method', 'route', 'status'] as const,
  buckets: [0.005, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
  registers: [registry],
});

const processUp = new Gauge({
  name: 'fazenda_process_up',
  help: 'Whether a process gave its metrics for this page: 1 or 0',
  labelNames: ['peer'] as const,
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

/** Another process, whose numbers are on this one's page. */
interface Peer {
  readonly name: string;
  readonly url: string;
}

/** `name=host:port`, or without the name, which then is where it is. */
function peerOf(spelled: string): Peer {
  const [, name, place = spelled] = /^([\w-]+)=(.+)$/.exec(spelled) ?? [];
  return { name: name ?? place, url: /^https?:\/\//.test(place) ? place : `http://${place}` };
}

/** Prometheus text of this process and of its peers, one page; a peer that is away is left out, and the page says so. */
export async function metricsPage(own: Registry, peers: readonly string[], log: Logger): Promise<Reply> {
  const others = await Promise.all(peers.map(peerOf).map((peer) => peerMetrics(peer, log)));
  const text = await AggregatorRegistry.aggregate([await ownMetrics(), ...others]).metrics();
  return { status: 200, headers: { 'content-type': own.contentType }, body: text };
}

async function peerMetrics({ name: peer, url }: Peer, log: Logger): Promise<PageMetric[]> {
  try {
    const answer = await fetch(new URL('/metrics.json', url), { signal: AbortSignal.timeout(PEER_TIMEOUT_MS) });
    const metrics: unknown = await answer.json();
    if (!Array.isArray(metrics)) throw new Error('its metrics are no list');
    processUp.set({ peer }, 1);
    return metrics as PageMetric[];
  } catch (thrown) {
    processUp.set({ peer }, 0);
    log.debug({ peer, cause: textOf(thrown) }, 'a process does not give its metrics');
    return [];
  }
}
