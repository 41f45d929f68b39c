import { Connection } from '@temporalio/client';
import { Client } from 'pg';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { SupervisedChild } from '../../src/runtime/child';
import type { Home } from '../../src/runtime/home';
import { fromCache } from '../../src/runtime/parts/cache';
import type { InstallContext } from '../../src/runtime/parts/part';
import { goInstall } from '../../src/runtime/parts/registries';
import { run } from '../../src/runtime/parts/tools';
import type { PortBook } from '../../src/runtime/ports';

const VERSION = 'v1.29.1';
const PROBE_TIMEOUT_MS = 2_000;
const READY_TIMEOUT_MS = 60_000;
const STOP_TIMEOUT_MS = 10_000;
/** As the server's own example for PostgreSQL has it; it cannot be changed later, and a bench is one machine. */
const HISTORY_SHARDS = 4;
const STORES = ['temporal', 'visibility'] as const;
/** Each service asks for a pool of its own: 4 × (20 + 5) and ours stay below PostgreSQL's 200. */
const CONNECTIONS_MAX = { temporal: 20, visibility: 5 };

/** The levers of BENCH.md. The stock limits poll each queue 20 times a second; one machine needs one partition. */
const DYNAMIC_CONFIG = {
  'history.transferProcessorMaxPollRPS': 2000,
  'history.timerProcessorMaxPollRPS': 2000,
  'history.visibilityProcessorMaxPollRPS': 2000,
  'matching.numTaskqueueReadPartitions': 1,
  'matching.numTaskqueueWritePartitions': 1,
  'matching.useNewMatcher': true,
  // The stock value of this version, said because two of the entrants begin their workflows by it.
  'system.enableEagerWorkflowStart': true,
};

/** The Temporal server proper, and the tool that makes its tables; built from the Go module proxy, kept by version. */
export async function installTemporalServer(context: InstallContext): Promise<string> {
  const build = async (folder: string): Promise<void> => {
    for (const command of ['server', 'tools/sql']) await goInstall(`go.temporal.io/server/cmd/${command}@${VERSION}`, folder, context);
  };
  return await fromCache({ name: 'temporal-server', version: VERSION, build }, context);
}

export interface TemporalServer {
  readonly address: string;
  readonly pid: number | undefined;
  stop(): Promise<void>;
}

/** Starts a server that knows nothing yet, in databases of its own on this PostgreSQL. Loopback only. */
export async function startTemporalServer(context: InstallContext, home: Home, ports: PortBook, postgresUrl: string): Promise<TemporalServer> {
  const tools = await installTemporalServer(context);
  await makeSchemas(join(tools, 'sql'), context, postgresUrl);
  const folder = home.path('data', 'temporal-server');
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const frontend = await ports.claim(7233);
  // JSON is YAML; a file of its own, because the password is in it.
  writeFileSync(join(folder, 'server.yaml'), JSON.stringify(await settings(folder, frontend, ports, new URL(postgresUrl))), { mode: 0o600 });
  writeFileSync(join(folder, 'dynamic.yaml'), JSON.stringify(Object.fromEntries(Object.entries(DYNAMIC_CONFIG).map(([name, value]) => [name, [{ value }]]))));
  const address = `127.0.0.1:${frontend}`;
  const child = new SupervisedChild(
    {
      name: 'temporal-server',
      command: join(tools, 'server'),
      args: ['--root', folder, '--config', '.', '--env', 'server', '--allow-no-auth', 'start'],
      env: context.env,
      cwd: folder,
      logFile: home.path('logs', 'temporal-server.log'),
      stopSignal: 'SIGTERM',
      stopTimeoutMs: STOP_TIMEOUT_MS,
      readyTimeoutMs: READY_TIMEOUT_MS,
      ready: () => answers(address),
    },
    home.path('run', 'temporal-server.json'),
    (event) => context.say(event.text),
  );
  await child.start(context.signal);
  return { address, get pid() { return child.pid; }, stop: () => child.stop() };
}

async function makeSchemas(tool: string, context: InstallContext, postgresUrl: string): Promise<void> {
  const { hostname, port, username, password } = new URL(postgresUrl);
  const client = new Client({ connectionString: postgresUrl });
  await client.connect();
  for (const store of STORES) {
    await client.query(`CREATE DATABASE temporal_${store}`);
    const at = ['--plugin', 'postgres12', '--ep', hostname, '--port', port, '--user', username, '--database', `temporal_${store}`];
    const options = { env: { ...context.env, SQL_PASSWORD: password }, signal: context.signal };
    await run(tool, [...at, 'setup-schema', '--version', '0.0'], options);
    await run(tool, [...at, 'update-schema', '--schema-name', `postgresql/v12/${store}`], options);
  }
  await client.end();
}

async function settings(folder: string, frontend: number, ports: PortBook, { hostname, port, username, password }: URL): Promise<object> {
  const datastore = (store: (typeof STORES)[number]) => ({
    sql: {
      pluginName: 'postgres12', databaseName: `temporal_${store}`, connectAddr: `${hostname}:${port}`, connectProtocol: 'tcp', user: username, password,
      maxConns: CONNECTIONS_MAX[store], maxIdleConns: CONNECTIONS_MAX[store], maxConnLifetime: '1h',
    },
  });
  const service = async (grpcPort: number) => ({ rpc: { grpcPort, membershipPort: await ports.claim(6933), bindOnLocalHost: true } });
  return {
    log: { stdout: true, level: 'warn' },
    persistence: {
      defaultStore: 'temporal', visibilityStore: 'visibility', numHistoryShards: HISTORY_SHARDS,
      datastores: { temporal: datastore('temporal'), visibility: datastore('visibility') },
    },
    global: { membership: { maxJoinDuration: '30s', broadcastAddress: '127.0.0.1' } },
    services: {
      frontend: await service(frontend),
      history: await service(await ports.claim(7234)),
      matching: await service(await ports.claim(7235)),
      worker: await service(await ports.claim(7239)),
    },
    clusterMetadata: {
      enableGlobalNamespace: false, failoverVersionIncrement: 10, masterClusterName: 'active', currentClusterName: 'active',
      clusterInformation: { active: { enabled: true, initialFailoverVersion: 1, rpcName: 'frontend', rpcAddress: `127.0.0.1:${frontend}` } },
    },
    dcRedirectionPolicy: { policy: 'noop' },
    dynamicConfigClient: { filepath: join(folder, 'dynamic.yaml'), pollInterval: '60s' },
  };
}

/** True once it answers as a whole: its own system namespace is there, and so is every service behind it. */
async function answers(address: string): Promise<boolean> {
  const connection = Connection.lazy({ address, connectTimeout: PROBE_TIMEOUT_MS });
  try {
    await connection.withDeadline(Date.now() + PROBE_TIMEOUT_MS, () => connection.workflowService.describeNamespace({ namespace: 'temporal-system' }));
    return true;
  } catch {
    return false; // Whatever the reason, it is asked again until the start's own limit.
  } finally {
    await connection.close();
  }
}
