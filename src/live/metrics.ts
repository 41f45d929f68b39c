import { Counter, Gauge } from 'prom-client';
import { registry } from '../metrics';
import type { Gateway } from './gateway';

export const liveSteps = new Counter({
  name: 'fazenda_live_steps_total',
  help: 'Versions of stories sent to clients',
  labelNames: ['domain'] as const,
  registers: [registry],
});

/** Connections are counted when they are asked for, so that the number cannot drift. */
export function measureConnections(gateway: Pick<Gateway, 'connections'>): void {
  new Gauge({
    name: 'fazenda_live_connections',
    help: 'Clients connected to this gateway',
    registers: [registry],
    collect() {
      this.set(gateway.connections);
    },
  });
}
