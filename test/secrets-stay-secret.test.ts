import { fork, type ChildProcess } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { run } from '../src/runtime/parts/tools';
import { PortBook } from '../src/runtime/ports';
import { PROCESS_NAMES } from '../src/runtime/processes';
import { readConfig } from '../src/config';
import { FazendaError } from '../src/errors';
import { Secret } from '../src/secret';
import { compiled } from './setup/compiled';
import { until } from './setup/until';

/** A bird in every secret, and nothing of any of them to be heard: every process at its most talkative, with all that it needs away. */
const CANARY = 'canary4711';
const birds = (name: string) => `${CANARY}${name.toLowerCase().replaceAll('_', '')}`;
const KEY = Buffer.from(CANARY.padEnd(32, '.')).toString('base64');

/** Nothing listens on port 1 of this machine. */
const SECRETS: Readonly<Record<string, string>> = {
  FAZENDA_ADMIN_TOKEN: birds('admin-token'),
  FAZENDA_TOKENS: `viewer:${birds('viewer-token')},submitter/alice:${birds('submitter-token')}`,
  DATABASE_URL: `postgres://user:${birds('database')}@127.0.0.1:1/db`,
  S3_SECRET_ACCESS_KEY: birds('s3'),
  REDIS_URL: `redis://user:${birds('redis')}@127.0.0.1:1`,
  SCHEMA_REGISTRY_URL: `http://user:${birds('registry')}@127.0.0.1:1`,
  AMQP_URL: `amqp://user:${birds('amqp')}@127.0.0.1:1`,
  SMTP_URL: `smtp://user:${birds('smtp')}@127.0.0.1:1`,
  KAFKA_SASL_PASSWORD: birds('kafka'),
  TEMPORAL_PAYLOAD_KEYS: `k1:${KEY}`,
  TEMPORAL_API_KEY: birds('temporal'),
  CODEC_SERVER_TOKEN: birds('codec'),
  MODEL_GPT_API_KEY: birds('model'),
  CLICKHOUSE_URL: `http://user:${birds('clickhouse')}@127.0.0.1:1/db`,
  OTEL_EXPORTER_OTLP_ENDPOINT: `http://user:${birds('collector')}@127.0.0.1:1`,
  OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: `http://user:${birds('traces')}@127.0.0.1:1/v1/traces`,
  OTEL_EXPORTER_OTLP_HEADERS: `authorization=${birds('otlp-headers')}`,
};
const AWAY = {
  KAFKA_BROKERS: '127.0.0.1:1', KAFKA_SECURITY_PROTOCOL: 'SASL_PLAINTEXT', KAFKA_SASL_MECHANISM: 'SCRAM-SHA-512', KAFKA_SASL_USERNAME: 'app',
  TEMPORAL_ADDRESS: '127.0.0.1:1', S3_ENDPOINT: 'http://127.0.0.1:1', MODEL_GPT_BASE_URL: 'http://127.0.0.1:1', AUTH_ALWAYS: 'true', LOG_LEVEL: 'trace',
};

/** The canary itself, and each way in which it may be dressed. */
const DRESSED = [CANARY, Buffer.from(CANARY).toString('hex'), KEY, ...[0, 1, 2].map((shift) => Buffer.from(`${'x'.repeat(shift)}${CANARY}`).toString('base64').slice(4, 14))];
const heard = (text: string) => DRESSED.filter((bird) => text.includes(bird));

describe('settings', () => {
  const config = readConfig({ ...SECRETS, ...AWAY });

  test('every secret among them has its bird: a new one has to be planted here', () => {
    const names = [...readFileSync(join(__dirname, '..', '.env.example'), 'utf8').matchAll(/^([A-Z0-9_]+)=/gm)].flatMap(([, name]) => name ?? []);
    const samples = ['sample', 'http://h', 'amqp://h', 'smtp://h'];
    const secret = names.filter((name) => samples.some((sample) => isSecret(name, sample)));
    expect(secret.filter((name) => !(name in SECRETS))).toEqual([]);
    expect(secret.length).toBeGreaterThanOrEqual(8);
  });

  test('tell none of it, however they are printed', () => {
    for (const text of [JSON.stringify(config), inspect(config, { depth: 20, showHidden: true }), ...Object.values(config).map(String)]) expect(heard(text)).toEqual([]);
  });

  test.each(Object.keys(SECRETS).filter((name) => !['TEMPORAL_API_KEY', 'MODEL_GPT_API_KEY'].includes(name)))('%s is not told where it is wrong', (name) => {
    // No value of any setting is right with all of these in it.
    for (const wrong of [`${CANARY} wrong`, `viewer:${CANARY}\u0000`, `http://${CANARY}`]) {
      try {
        readConfig({ ...SECRETS, ...AWAY, [name]: wrong });
      } catch (thrown) {
        expect(thrown).toBeInstanceOf(FazendaError);
        expect(heard(`${String(thrown)} ${inspect(thrown, { depth: 20 })}`)).toEqual([]);
      }
    }
  });
});

describe('processes', () => {
  const folder = mkdtempSync(join(tmpdir(), 'fazenda-canary-'));
  const ports = new PortBook();
  const running: { name: string; child: ChildProcess; said: () => string }[] = [];
  let api: string;
  let env: NodeJS.ProcessEnv;
  beforeAll(async () => {
    const dist = await compiled();
    const [port, gateway, codec, smtp, page] = [await ports.claim(3300), await ports.claim(3301), await ports.claim(3302), await ports.claim(3303), await ports.claim(3304)];
    api = `http://127.0.0.1:${port}`;
    env = {
      PATH: process.env.PATH, ...SECRETS, ...AWAY, PORT: String(port), GATEWAY_PORT: String(gateway), GATEWAY_URL: `http://127.0.0.1:${gateway}`, CODEC_SERVER_PORT: String(codec),
      MAILBOX_SMTP_PORT: String(smtp), MAILBOX_PORT: String(page), FAZENDA_HOME: folder,
    };
    for (const name of [...PROCESS_NAMES, 'codec-server']) {
      let text = '';
      const child = fork(join(dist, 'workers', `${name}.js`), { env: { ...env, LOG_FILE: join(folder, `${name}.log`) }, stdio: ['ignore', 'pipe', 'pipe', 'ipc'] });
      for (const stream of [child.stdout, child.stderr]) stream?.on('data', (chunk: Buffer) => (text += chunk.toString()));
      running.push({ name, child, said: () => text + read(join(folder, `${name}.log`)) });
    }
    await until(() => fetch(`${api}/livez`).then(() => true, () => false), 'the api answers', 60_000);
  }, 120_000);
  afterAll(async () => {
    await Promise.all(running.map(({ child }) => new Promise((resolve) => (child.exitCode === null && child.signalCode === null ? child.once('exit', resolve).kill('SIGKILL') : resolve(undefined)))));
    ports.release();
    rmSync(folder, { recursive: true, force: true });
  });

  test('answer with none of it, whoever asks for what', async () => {
    const tokens = [undefined, `Bearer ${birds('admin-token')}`, `Bearer ${birds('viewer-token')}`, `Bearer ${birds('wrong')}`];
    const paths = ['/livez', '/readyz', '/health', '/metrics', '/', '/docs', '/docs/openapi.json', '/tasks', '/tasks/x', '/orders', '/v1/items', '/v1/clients', '/admin/dead-letters', '/kafka/status', '/nothing', '/socket.io/'];
    for (const authorization of tokens) {
      for (const path of paths) {
        const answer = await fetch(`${api}${path}`, authorization ? { headers: { authorization } } : {});
        expect([path, heard(`${JSON.stringify([...answer.headers])} ${await answer.text()}`)]).toEqual([path, []]);
      }
      for (const path of ['/commands/create-task', '/orders', '/kafka/publish', '/admin/replay']) {
        const answer = await fetch(`${api}${path}`, { method: 'POST', headers: { 'content-type': 'application/json', ...(authorization && { authorization }) }, body: '{}' });
        expect([path, heard(await answer.text())]).toEqual([path, []]);
      }
    }
  });

  test('log none of it, while all that they need is away', async () => {
    for (const { name, child, said } of running) {
      await until(() => said().length > 0 || child.exitCode !== null, `${name} says something`, 60_000);
      expect([name, heard(said())]).toEqual([name, []]);
    }
    // They did say what is away, so that there was something to hear.
    const all = running.map(({ said }) => said()).join('');
    expect(all).toMatch(/ECONNREFUSED/);
  });

  test('do not carry it in their titles', () => {
    for (const { name, child } of running) {
      if (child.exitCode !== null || process.platform !== 'linux') continue;
      expect([name, heard(read(`/proc/${child.pid}/cmdline`))]).toEqual([name, []]);
    }
  });

  test.each([[['doctor']], [['--json', 'doctor']], [['topics']], [['migrate']], [['submit']]])('the command line tells none of it: %j', async (args) => {
    const main = join(await compiled(), 'src', 'cli', 'main.js');
    const lines: string[] = [];
    const end = await run(process.execPath, [main, ...args], { env, timeoutMs: 8_000, onLine: (line) => void lines.push(line) }).catch((thrown: unknown) => inspect(thrown, { depth: 20 }));
    expect(heard([...lines, end].join('\n'))).toEqual([]);
  });
});

function isSecret(name: string, sample: string): boolean {
  try {
    return Object.entries(readConfig({ ...AWAY, ...SECRETS, [name]: sample })).some(([setting, value]) => setting === name && value instanceof Secret);
  } catch (thrown) {
    if (thrown instanceof FazendaError) return false; // That sample is none of this setting.
    throw thrown;
  }
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (thrown) {
    if (thrown instanceof Error && 'code' in thrown && (thrown.code === 'ENOENT' || thrown.code === 'ESRCH')) return '';
    throw thrown;
  }
}
