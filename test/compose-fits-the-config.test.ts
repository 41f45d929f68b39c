import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { readConfig } from '../src/config';
import { PROCESS_NAMES } from '../src/runtime/processes';

interface Service {
  image?: string;
  command?: string[];
  environment?: Record<string, string | number>;
  ports?: string[];
  profiles?: string[];
  depends_on?: string[] | Record<string, unknown>;
  volumes?: string[];
}

const root = join(__dirname, '..');
const compose = parse(readFileSync(join(root, 'docker-compose.yml'), 'utf8'), { merge: true }) as { services: Record<string, Service>; volumes: Record<string, null> };
const services = Object.entries(compose.services);

/** What Compose makes of `${NAME:-preset}`, with nothing set. */
function withPresets(text: string): string {
  return text.replace(/\$\{\w+:-([^}]*)\}/g, '$1');
}

describe('docker-compose.yml', () => {
  test('has each part and each process of npm start', () => {
    expect(Object.keys(compose.services)).toEqual(expect.arrayContaining(['temporal', 'kafka', 'postgres', 's3', 'redis', 'rabbitmq', 'registry', 'clickhouse', 'migrate', ...PROCESSES]));
  });

  test.each(PROCESS_NAMES)('gives %s an environment that its config accepts', (name) => {
    const given = Object.entries(compose.services[name]?.environment ?? {}).map(([key, value]) => [key, withPresets(String(value))] as const);
    const config = readConfig(Object.fromEntries(given));
    const faults = given.filter(([key, value]) => {
      const taken: unknown = Object.entries(config).find(([setting]) => setting === key)?.[1];
      // A setting that the config does not know would be silently without effect. Secrets print as ***.
      return taken === undefined || (String(taken) !== value && String(taken) !== '***');
    });
    expect(faults).toEqual([]);
  });

  test.each(PROCESS_NAMES)('runs for %s a file that the build makes', (name) => {
    const [program, file] = compose.services[name]?.command ?? [];
    expect(program).toBe('node');
    expect(existsSync(join(root, (file ?? '').replace(/^dist\//, '').replace(/\.js$/, '.ts')))).toBe(true);
  });

  test('publishes every port on loopback alone', () => {
    const published = services.flatMap(([, service]) => service.ports ?? []);
    expect(published.length).toBeGreaterThan(0);
    expect(published.filter((port) => !port.startsWith('127.0.0.1:'))).toEqual([]);
  });

  test('names only services and volumes that are there', () => {
    const needed = services.flatMap(([, { depends_on }]) => (Array.isArray(depends_on) ? depends_on : Object.keys(depends_on ?? {})));
    expect(needed.filter((name) => !(name in compose.services))).toEqual([]);
    const mounted = services.flatMap(([, { volumes }]) => (volumes ?? []).map((volume) => volume.split(':')[0] ?? ''));
    expect(mounted.filter((name) => !(name in compose.volumes))).toEqual([]);
  });

  test('sets by variable all that the runtime sets when it starts a part in Docker', () => {
    const parts = join(root, 'src', 'runtime', 'parts');
    const code = readdirSync(parts).map((file) => readFileSync(join(parts, file), 'utf8')).join('\n');
    const composeBlocks = [...code.matchAll(/service: '(\w+)',\s*env: \{([^}]*)\}/g)];
    expect(composeBlocks.map(([, service]) => service).sort()).toEqual(['clickhouse', 'kafka', 'postgres', 'rabbitmq', 'redis', 'registry', 's3', 'temporal']);
    for (const [, service, env] of composeBlocks) {
      const text = JSON.stringify(compose.services[service ?? '']);
      for (const [, name] of (env ?? '').matchAll(/(\w+):/g)) expect(text).toContain(`\${${name}:-`);
    }
  });
});
