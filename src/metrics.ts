import { createServer, type Server } from 'node:http';
import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';

/** Every metric of a process, and its own page. The api serves all pages as one. */
export const registry = new Registry();

export function labelProcess(name: string): void {
  registry.setDefaultLabels({ process: name });
  collectDefaultMetrics({ register: registry, prefix: 'fazenda_' });
}

/** What became of each record that came in; the sum over fates is what was consumed (promise P5). */
export const ingressRecords = new Counter({
  name: 'fazenda_ingress_records_total',
  help: 'Kafka records by their fate',
  labelNames: ['topic', 'fate'] as const,
  registers: [registry],
});

export const consumerLag = new Gauge({
  name: 'fazenda_consumer_lag',
  help: 'Records that a group is behind',
  labelNames: ['group', 'topic', 'partition'] as const,
  registers: [registry],
});

export const consumerLagSeconds = new Gauge({
  name: 'fazenda_consumer_lag_seconds',
  help: 'Age of the last record that a group took, while it is behind; 0 when it is not',
  labelNames: ['group', 'topic'] as const,
  registers: [registry],
});

export const lanesOpen = new Gauge({
  name: 'fazenda_lanes_open',
  help: 'Lanes, and stories riding alone, that this process has open.',
  labelNames: ['domain'],
  registers: [registry],
});

export const lanesStarted = new Histogram({
  name: 'fazenda_lane_stories',
  help: 'Stories aboard of each lane that was started.',
  labelNames: ['domain'],
  buckets: [1, 2, 5, 10, 20, 50, 100],
  registers: [registry],
});

/** Facts that their schema could not say and that went as JSON; anything but 0 is a fault of ours. */
export const unsayable = new Counter({
  name: 'fazenda_avro_unsayable_total',
  help: 'Records that are meant to be Avro and went as JSON, because their schema does not fit them',
  labelNames: ['topic'] as const,
  registers: [registry],
});

export const relayBacklog = new Gauge({
  name: 'fazenda_relay_backlog',
  help: 'Facts that are not on Kafka yet',
  registers: [registry],
});

export const relayPublished = new Counter({
  name: 'fazenda_relay_published_total',
  help: 'Facts put on Kafka',
  labelNames: ['topic'] as const,
  registers: [registry],
});

export const sweptStories = new Counter({
  name: 'fazenda_swept_stories_total',
  help: 'Stories that did not move and were started again',
  labelNames: ['domain'] as const,
  registers: [registry],
});

/** Serves `/metrics` (Prometheus text) and `/metrics.json` (for the api to merge) on loopback. */
export async function serveMetrics(port: number): Promise<Server> {
  const server = createServer((request, response) => {
    const json = request.url === '/metrics.json';
    const page = json ? registry.getMetricsAsJSON().then((all) => JSON.stringify(all)) : registry.metrics();
    page.then(
      (text) => response.writeHead(200, { 'content-type': json ? 'application/json' : registry.contentType }).end(text),
      (thrown: unknown) => response.writeHead(500).end(String(thrown)),
    );
  });
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(port, '127.0.0.1', resolve));
  return server;
}
