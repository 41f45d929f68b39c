import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { FazendaError } from '../../errors';
import { checkoutRoot } from '../root';
import { fromCache } from './cache';
import { settingsOf } from './clickhouse-settings';
import { definePart, type PartContext, type PartFacts, type Tool } from './part';
import { npmUnpack } from './registries';
import { isAtLeast, versionOf, which } from './tools';

const USER = 'fazenda';
const DATABASE = 'fazenda';
/** The oldest server whose settings are those that are written for it here. */
const OLDEST = [24, 8];
const PROBE_TIMEOUT_MS = 2_000;

const VERSION = '3.4.0';
const INTEGRITY = 'sha512-HMNj4dq3lIrwqxwGSuuEjo9EIlC+k8IjsSQHh1ZStGvV6MRckfvPM2aDqzdW1ti3fldrt9UIntJBm0AbV9nbDQ==';
/** npm's integrity of the engine that it brings along, by platform, so that no other bytes are ever run. */
const ENGINES: Readonly<Record<string, string>> = {
  'linux-x64': 'sha512-XP97mMqnc5tZpKQywR8N7cLTsHNiTmHr30pC5mzo3jWmukjKn2IBa60c2B/gWUNcuFjOMjWoorQICCqBVj5wpw==',
};
/** Threads that run statements of the embedded engine; as many as it has connections, and some for Node itself. */
const THREADS = 8;

/**
 * ClickHouse, which analytics asks. A server where the machine has one; else its own engine as npm has it (`chdb`),
 * behind a small HTTP interface (bin/clickhouse-embedded.mjs). Its URL has user, password and database in it.
 */
export const clickhouse = definePart({
  name: 'clickhouse',
  title: 'ClickHouse',
  ports: { http: 8123 },
  leastTrouble: 'Install ClickHouse, let npm fetch chdb from its registry, or set CLICKHOUSE_URL to one that runs, or to off.',

  external: ({ CLICKHOUSE_URL: url }) => (url && url !== 'off' ? factsOf(url) : undefined),

  async find(context) {
    for (const name of ['clickhouse', 'clickhouse-server']) {
      const path = which(name, context.env);
      if (path !== undefined && isAtLeast(await versionOf(path, ['--version'], context.env), OLDEST)) return { path, how: `path ${path}` };
    }
    return undefined;
  },

  async build(context) {
    const engine = ENGINES[`${process.platform}-${process.arch}`];
    if (engine === undefined) throw new FazendaError('FZ_PART_UNAVAILABLE', `there is no ready build of its engine for ${process.platform}-${process.arch}`);
    const build = async (into: string): Promise<void> => void (await npmUnpack('chdb', VERSION, INTEGRITY, into, context, [engine]));
    const folder = await fromCache({ name: 'clickhouse', version: VERSION, build }, context);
    return { path: join(folder, 'node_modules', 'chdb'), how: `built ${VERSION}` };
  },

  prepare(context, tool, ports) {
    const data = context.home.path('data', 'clickhouse');
    mkdirSync(data, { recursive: true, mode: 0o700 });
    const ready = (): Promise<boolean> => answers(urlOn(context, ports.http));
    return Promise.resolve({ ...(isServer(tool) ? asServer(context, tool, data, ports.http) : embedded(context, tool, data, ports.http)), cwd: data, stopSignal: 'SIGTERM', ready });
  },

  facts: (context, ports) => factsOf(urlOn(context, ports.http)),

  compose: (context, ports) => ({
    service: 'clickhouse',
    env: { CLICKHOUSE_PORT: String(ports.http), CLICKHOUSE_PASSWORD: passwordOf(context) },
    ready: () => answers(urlOn(context, ports.http)),
  }),
});

function isServer(tool: Tool): boolean {
  return !tool.how.startsWith('built');
}

function embedded(context: PartContext, tool: Tool, data: string, port: number) {
  return {
    command: process.execPath,
    args: [join(checkoutRoot(), 'bin', 'clickhouse-embedded.mjs'), '--engine', tool.path, '--data', join(data, 'embedded'), '--port', String(port)],
    // An engine's settings of its own environment would be those of whoever started us.
    env: { CLICKHOUSE_PASSWORD: passwordOf(context), UV_THREADPOOL_SIZE: String(THREADS), NODE_OPTIONS: '' },
  };
}

function asServer(context: PartContext, tool: Tool, data: string, port: number) {
  const config = settingsOf({ folder: join(data, 'server'), port, user: USER, password: passwordOf(context), database: DATABASE });
  const server = tool.path.endsWith('server') ? [] : ['server'];
  return { command: tool.path, args: [...server, `--config-file=${config}`] };
}

function passwordOf(context: PartContext): string {
  return context.home.secret('clickhouse-password');
}

function urlOn(context: PartContext, port: number): string {
  return `http://${USER}:${passwordOf(context)}@127.0.0.1:${port}/${DATABASE}`;
}

function factsOf(url: string): PartFacts {
  return { endpoints: { clickhouse: url }, env: { CLICKHOUSE_URL: url } };
}

async function answers(url: string): Promise<boolean> {
  const { origin, username, password } = new URL(url);
  try {
    const headers = { authorization: `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}` };
    const answer = await fetch(`${origin}/?query=SELECT+1`, { headers, signal: AbortSignal.timeout(PROBE_TIMEOUT_MS) });
    return answer.ok && (await answer.text()).trim() === '1';
  } catch {
    return false; // Whatever the reason, it is asked again until the start's own limit.
  }
}
