import { Connection } from '@temporalio/client';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { fromCache } from './cache';
import { definePart, type PartFacts, type Ports } from './part';
import { goInstall } from './registries';
import { isAtLeast, versionOf, which } from './tools';

const VERSION = 'v1.5.1';
const VERSION_MIN = [1, 5];
const NAMESPACE = 'default';
const PROBE_TIMEOUT_MS = 2_000;

/**
 * Twice as fast as the stock settings, measured, and as safe against a killed process: what was written is
 * in the write-ahead log before it is acknowledged. A power cut may cost Temporal its last moments; the
 * facts lie in PostgreSQL with fsync, and the sweeper starts again whatever Temporal forgot.
 * https://www.sqlite.org/pragma.html#pragma_synchronous
 */
const SQLITE_PRAGMAS = ['journal_mode=wal', 'synchronous=normal'];

/**
 * What moved most in BENCH.md. The stock limits poll each queue 20 times a second, which makes a chain of
 * four activities ten times slower; with one machine, more than one partition of a task queue only
 * forwards tasks to and fro; the new matcher is the one that knows task priority.
 */
const DYNAMIC_CONFIG = [
  'history.transferProcessorMaxPollRPS=2000',
  'history.timerProcessorMaxPollRPS=2000',
  'history.visibilityProcessorMaxPollRPS=2000',
  'matching.numTaskqueueReadPartitions=1',
  'matching.numTaskqueueWritePartitions=1',
  'matching.useNewMatcher=true',
];

/** The development server of the Temporal CLI: the real server with its Web UI, on an SQLite file. */
export const temporal = definePart({
  name: 'temporal',
  title: 'Temporal',
  ports: { frontend: 7233, ui: 8233, http: 7243, metrics: 7253 },
  leastTrouble: 'Install Go (any from 1.23 on) or the temporal CLI, or set TEMPORAL_ADDRESS to a server that runs.',

  external(env) {
    if (!env.TEMPORAL_ADDRESS) return undefined;
    return factsOf(env.TEMPORAL_ADDRESS, env.TEMPORAL_NAMESPACE || NAMESPACE, env.TEMPORAL_UI_URL || null);
  },

  async find(context) {
    const path = which('temporal', context.env);
    if (path === undefined) return undefined;
    // A build by `go install` calls itself 0.0.0-DEV; the server inside it tells its age all the same.
    const cli = await versionOf(path, ['--version'], context.env, /version (\d+)\.(\d+)\.(\d+)/);
    const server = await versionOf(path, ['--version'], context.env, /Server (\d+)\.(\d+)\.(\d+)/);
    return isAtLeast(cli, VERSION_MIN) || isAtLeast(server, [1, 29]) ? { path, how: `path ${path}` } : undefined;
  },

  async build(context) {
    const recipe = { name: 'temporal', version: VERSION, build: (folder: string) => goInstall(`github.com/temporalio/cli/cmd/temporal@${VERSION}`, folder, context) };
    return { path: join(await fromCache(recipe, context), 'temporal'), how: `built ${VERSION}` };
  },

  async prepare(context, tool, ports) {
    const data = context.home.path('data', 'temporal');
    mkdirSync(data, { recursive: true, mode: 0o700 });
    const attributes = Object.entries(context.searchAttributes).map(([name, type]) => `${name}=${type}`);
    return {
      command: tool.path,
      args: [
        'server', 'start-dev', '--ip', '127.0.0.1', '--db-filename', join(data, 'temporal.db'),
        '--port', String(ports.frontend), '--ui-port', String(ports.ui), '--http-port', String(ports.http), '--metrics-port', String(ports.metrics),
        ...SQLITE_PRAGMAS.flatMap((pragma) => ['--sqlite-pragma', pragma]),
        ...DYNAMIC_CONFIG.flatMap((value) => ['--dynamic-config-value', value]),
        ...attributes.flatMap((attribute) => ['--search-attribute', attribute]),
      ],
      stopSignal: 'SIGTERM',
      ready: () => answers(`127.0.0.1:${ports.frontend}`),
    };
  },

  facts: (_context, ports) => onPorts(ports),

  compose: (_context, ports) => ({
    service: 'temporal',
    env: { TEMPORAL_PORT: String(ports.frontend), TEMPORAL_UI_PORT: String(ports.ui) },
    ready: () => answers(`127.0.0.1:${ports.frontend}`),
  }),
});

function onPorts(ports: Ports<'frontend' | 'ui'>): PartFacts {
  return factsOf(`127.0.0.1:${ports.frontend}`, NAMESPACE, `http://localhost:${ports.ui}`);
}

function factsOf(address: string, namespace: string, ui: string | null): PartFacts {
  return {
    endpoints: { temporal: address, temporalNamespace: namespace, temporalUi: ui },
    env: { TEMPORAL_ADDRESS: address, TEMPORAL_NAMESPACE: namespace, ...(ui === null ? {} : { TEMPORAL_UI_URL: ui }) },
  };
}

/** True once the namespace can be used: the port opens a little earlier. */
async function answers(address: string): Promise<boolean> {
  const connection = Connection.lazy({ address, connectTimeout: PROBE_TIMEOUT_MS });
  try {
    await connection.withDeadline(Date.now() + PROBE_TIMEOUT_MS, () => connection.workflowService.describeNamespace({ namespace: NAMESPACE }));
    return true;
  } catch {
    return false; // Whatever the reason, it is asked again until the start's own limit.
  } finally {
    await connection.close();
  }
}
