import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { readConfig, SETTING_NAMES } from '../src/config';
import { PROCESS_NAMES } from '../src/runtime/processes';

/** The processes of npm start, and the one that runs only where payloads are sealed. */
const PROCESSES = [...PROCESS_NAMES, 'codec-server'] as const;

interface Service {
  image?: string;
  command?: string[];
  /** Without a value: passed on where it is set. */
  environment?: Record<string, string | number | null>;
  ports?: string[];
  profiles?: string[];
  depends_on?: string[] | Record<string, unknown>;
  volumes?: string[];
}

const root = join(__dirname, '..');
const compose = parse(readFileSync(join(root, 'docker-compose.yml'), 'utf8'), { merge: true }) as { services: Record<string, Service>; volumes: Record<string, null> };
const services = Object.entries(compose.services);

/** What Compose makes of `${NAME:-preset}`, with nothing set; a preset may have one within it. */
function withPresets(text: string): string {
  const inner = text.replace(/\$\{\w+:-([^${}]*)\}/g, '$1');
  return inner === text ? text : withPresets(inner);
}

function environmentOf(name: string): Record<string, string | number | null> {
  return compose.services[name]?.environment ?? {};
}

/** Settings that a container is not told from outside, and why. */
const KEPT_BACK: Readonly<Record<string, string>> = {
  KAFKA_BROKER: 'another name of KAFKA_BROKERS',
  FAZENDA_HOME: 'the mailbox alone keeps something there, in its volume',
  FAZENDA_READY_FILE: 'npm start writes it; containers are waited for by what they depend on',
  WORKFLOW_BUNDLE: 'in the image',
  METRICS_PORT: 'each that serves its metrics by itself has a port of its own',
  LOG_FILE: 'a container logs to its standard output',
  MAILBOX_SMTP_PORT: 'nobody outside hands letters over',
  MAILBOX_PORT: 'its page is published at the port that is set',
};
/** Settings that .env.example leaves out: second names, and what is not for people to set. */
const UNSAID: Readonly<Record<string, true>> = {
  KAFKA_BROKER: true, FAZENDA_READY_FILE: true, WORKFLOW_BUNDLE: true, OBSERVABILITY__KAFKA_SECURITY_PROTOCOL: true,
  OBSERVABILITY__KAFKA_SASL_MECHANISM: true, OBSERVABILITY__KAFKA_SASL_USERNAME: true, OBSERVABILITY__KAFKA_SASL_PASSWORD: true,
};
/** What one process alone has to know. */
const ONES_OWN: Readonly<Record<string, string>> = {
  CODEC_SERVER_TOKEN: 'codec-server', CODEC_SERVER_PORT: 'codec-server', CODEC_SERVER_HOST: 'codec-server', TEMPORAL_UI_URL: 'codec-server', MAILBOX_HOST: 'mailbox',
};

describe('docker-compose.yml', () => {
  test('has each part and each process of npm start', () => {
    expect(Object.keys(compose.services)).toEqual(expect.arrayContaining(['temporal', 'kafka', 'postgres', 's3', 'redis', 'rabbitmq', 'registry', 'clickhouse', 'migrate', ...PROCESSES]));
  });

  test.each(PROCESSES)('gives %s an environment that its config accepts', (name) => {
    const given = Object.entries(environmentOf(name)).flatMap(([key, value]) => (value === null ? [] : [[key, withPresets(String(value))] as const]));
    const config = readConfig(Object.fromEntries(given));
    const faults = given.filter(([key, value]) => {
      const taken: unknown = Object.entries(config).find(([setting]) => setting === key)?.[1];
      // A setting that the config does not know would be silently without effect. Secrets print as ***.
      return taken === undefined || (String(taken) !== value && String(taken) !== '***');
    });
    expect(faults).toEqual([]);
  });

  test.each([...PROCESSES, 'migrate'])('passes every setting on to %s', (name) => {
    const due = SETTING_NAMES.filter((setting) => !(setting in KEPT_BACK) && (ONES_OWN[setting] ?? name) === name);
    expect(due.filter((setting) => !(setting in environmentOf(name)))).toEqual([]);
    // By these the SDK finds Temporal's security in the environment itself (docs/access.md).
    const bySdk = [...readFileSync(join(root, 'docs', 'access.md'), 'utf8').matchAll(/`(TEMPORAL_(?:TLS|API)\w*)`/g)].map(([, setting]) => setting ?? '');
    expect(bySdk.length).toBeGreaterThan(5);
    expect(bySdk.filter((setting) => !(setting in environmentOf(name)))).toEqual([]);
  });

  test('tells nobody what is one process’s own', () => {
    const told = [...PROCESSES, 'migrate'].flatMap((name) => Object.keys(environmentOf(name)).filter((setting) => (ONES_OWN[setting] ?? name) !== name));
    expect(told).toEqual([]);
  });

  test('names no setting that nobody reads, and .env.example names each', () => {
    const read = new Set(SETTING_NAMES);
    const named = new Set(PROCESSES.flatMap((name) => Object.keys(environmentOf(name))));
    expect([...named].filter((setting) => !read.has(setting) && !/^TEMPORAL_(TLS|API)/.test(setting))).toEqual([]);
    const example = readFileSync(join(root, '.env.example'), 'utf8');
    expect(SETTING_NAMES.filter((setting) => !new RegExp(`^(# .*)?${setting}\\b`, 'm').test(example) && !(setting in UNSAID))).toEqual([]);
  });

  test.each(PROCESSES)('runs for %s a file that the build makes', (name) => {
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
    const mounted = services.flatMap(([, { volumes }]) => (volumes ?? []).map((volume) => withPresets(volume).split(':')[0] ?? '').filter((from) => !from.startsWith('/')));
    expect(mounted.filter((name) => !(name in compose.volumes || (name.startsWith('./') && existsSync(join(root, name)))))).toEqual([]);
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
