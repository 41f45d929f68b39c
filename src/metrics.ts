import { createServer, type Server } from 'node:http';
import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';
import { metricsOfText, type PageMetric } from './prometheus-text';

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

/** Records put aside, by whichever group could not take them. */
export const deadLettered = new Counter({
  name: 'fazenda_dead_letters_total',
  help: 'Records put on a dead-letter topic, by why',
  labelNames: ['topic', 'group', 'code'] as const,
  registers: [registry],
});

export const chunkRecords = new Histogram({
  name: 'fazenda_ingress_chunk_records',
  help: 'Records of each chunk that a door took together',
  labelNames: ['topic'] as const,
  buckets: [1, 5, 20, 50, 100, 200, 1_000],
  registers: [registry],
});

export const chunkSeconds = new Histogram({
  name: 'fazenda_ingress_chunk_seconds',
  help: 'Time from a chunk that a door has in hand to the fate of each of its records',
  labelNames: ['topic'] as const,
  buckets: [0.01, 0.05, 0.2, 1, 5, 30],
  registers: [registry],
});

/** Partitions whose chunk could not be done for no fault of its own. */
export const waitingPartitions = new Gauge({
  name: 'fazenda_consumer_waiting_partitions',
  help: 'Partitions that wait, by what they wait for',
  labelNames: ['group', 'topic', 'cause'] as const,
  registers: [registry],
});

export const gateWaiting = new Gauge({
  name: 'fazenda_gate_waiting_chunks',
  help: 'Chunks that wait at a door because as many stories work as may',
  labelNames: ['domain'] as const,
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

/** Pages of others in this process: Prometheus text, whose names are not ours. */
const pages: (() => Promise<string>)[] = [];

/** Puts somebody else's metrics on the page of this process; where they are not to be had, the page is without them. */
export function addPage(page: () => Promise<string>): void {
  pages.push(page);
}

async function othersText(): Promise<string> {
  const texts = await Promise.allSettled(pages.map((page) => page()));
  return texts.map((text) => (text.status === 'fulfilled' ? text.value : '')).join('');
}

/** This process's metrics as objects, for the api to merge. */
export async function ownMetrics(): Promise<PageMetric[]> {
  const [own, others] = await Promise.all([registry.getMetricsAsJSON(), othersText()]);
  return [...own.map((metric) => ({ ...metric, type: String(metric.type) }) as PageMetric), ...metricsOfText(others)];
}

/**
 * Serves `/metrics` (Prometheus text) and `/metrics.json` (for the api to merge) on loopback; where the port is taken, on
 * another: of processes of one kind that share a network, as agents do, one is on the api's page, and all of them run.
 */
export async function serveMetrics(port: number): Promise<Server> {
  const server = createServer((request, response) => {
    const json = request.url === '/metrics.json';
    const page = json ? ownMetrics().then((all) => JSON.stringify(all)) : Promise.all([registry.metrics(), othersText()]).then((texts) => texts.join(''));
    page.then(
      (text) => response.writeHead(200, { 'content-type': json ? 'application/json' : registry.contentType }).end(text),
      (thrown: unknown) => response.writeHead(500).end(String(thrown)),
    );
  });
  const listen = (on: number) => new Promise<void>((resolve, reject) => server.once('error', reject).listen(on, '127.0.0.1', resolve));
  await listen(port).catch((thrown: unknown) => {
    if (port === 0 || (thrown as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw thrown;
    return listen(0);
  });
  return server;
}
