import { Counter } from 'prom-client';
import { registry } from '../metrics';

/** What became of each fact that people are to be told of, at the dispatcher. */
export const noticed = new Counter({
  name: 'fazenda_notifications_total',
  help: 'Facts on the topics that people are told of, by what became of them',
  labelNames: ['topic', 'fate'] as const,
  registers: [registry],
});
export type Noticed = 'queued' | 'addressless' | 'duplicate' | 'filtered' | 'dead_lettered';

/** What became of each handing over, at the notifier. */
export const letters = new Counter({
  name: 'fazenda_letters_total',
  help: 'Letters by what became of them at the mail server',
  labelNames: ['outcome'] as const,
  registers: [registry],
});
