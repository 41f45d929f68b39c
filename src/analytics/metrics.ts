import { Counter, Histogram } from 'prom-client';
import { registry } from '../metrics';

/** What became of each record that analytics took; a record that comes again after a crash is counted again. */
export const analyticsRecords = new Counter({
  name: 'fazenda_analytics_records_total',
  help: 'Kafka records that analytics took: stored in ClickHouse, or no event (a command, a forgery, what cannot be read)',
  labelNames: ['topic', 'fate'] as const,
  registers: [registry],
});

export const analyticsBatchRows = new Histogram({
  name: 'fazenda_analytics_batch_rows',
  help: 'Rows of each insert into ClickHouse',
  buckets: [1, 10, 100, 1_000, 10_000],
  registers: [registry],
});

export const analyticsInsertSeconds = new Histogram({
  name: 'fazenda_analytics_insert_seconds',
  help: 'Time that each insert into ClickHouse took',
  buckets: [0.01, 0.05, 0.2, 1, 5, 30],
  registers: [registry],
});
