import { Counter, Gauge, Histogram } from 'prom-client';
import { registry } from '../metrics';

export const windowsPublished = new Counter({
  name: 'fazenda_windows_published_total',
  help: 'Revisions of windows that were published',
  labelNames: ['stream'] as const,
  registers: [registry],
});

/** Windows that were looked at, by what came of it: something new, nothing, or a log that knew less than was said before. */
export const windowsLooked = new Counter({
  name: 'fazenda_windows_looked_total',
  help: 'Windows that were computed, by what came of it',
  labelNames: ['stream', 'verdict'] as const,
  registers: [registry],
});

export const windowsRoundSeconds = new Histogram({
  name: 'fazenda_windows_round_seconds',
  help: 'Time of one round over all windows that were due',
  buckets: [0.01, 0.05, 0.2, 1, 5, 20],
  registers: [registry],
});

export const windowsLeading = new Gauge({
  name: 'fazenda_windows_publishing',
  help: '1 in the process that publishes the windows, 0 in one that stands by',
  registers: [registry],
});
