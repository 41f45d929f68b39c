import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import type { Endpoints } from '../../src/runtime/parts';
import { until } from './until';

/** The whole of fazenda as `npm start` runs it, seen from outside: endpoints, HTTP, topics, and processes to kill. */
export interface System {
  readonly endpoints: Endpoints & { readonly api: string; readonly kafka: string; readonly postgres: string };
  readonly home: string;
  /** Ends a process of ours, or a part, at once and without a word (kill -9). False when it is just not there. */
  kill(name: string): boolean;
  /** SIGTERM; gives the exit code. */
  stop(): Promise<number | null>;
  /** Removes its home. */
  forget(): void;
}

/** A first start builds what the machine lacks. */
export const SYSTEM_TIMEOUT_MS = 20 * 60_000;

/** Without schema registry and ClickHouse unless `env` says otherwise (`SCHEMA_REGISTRY_URL: ''`): their start takes seconds, and few need them. */
export async function startSystem(env: Record<string, string> = {}, home = mkdtempSync(join(tmpdir(), 'fazenda-'))): Promise<System> {
  const root = resolve(__dirname, '../..');
  const child = spawn(process.execPath, ['bin/fazenda.mjs', 'dev'], {
    cwd: root, env: { ...process.env, FAZENDA_HOME: home, SCHEMA_REGISTRY_URL: 'off', CLICKHOUSE_URL: 'off', ...env }, stdio: ['ignore', 'pipe', 'pipe'],
  });
  let said = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (said = (said + chunk.toString()).slice(-10_000)));
  const ended = new Promise<number | null>((resolveCode) => child.once('exit', (code) => resolveCode(code)));
  let over = false;
  void ended.then(() => (over = true));

  const file = join(home, 'endpoints.json');
  await until(() => {
    if (over) throw new Error(`the start ended: ${said}`);
    return existsSync(file);
  }, 'the system is up', SYSTEM_TIMEOUT_MS);
  const endpoints = JSON.parse(readFileSync(file, 'utf8')) as System['endpoints'];
  await until(async () => (await fetch(`${endpoints.api}/readyz`)).status === 200, '/readyz is 200', 30_000);

  return {
    endpoints, home,
    kill(name) {
      const remembered = join(home, 'run', `${name}.json`);
      if (!existsSync(remembered)) return false;
      const { pid } = JSON.parse(readFileSync(remembered, 'utf8')) as { pid: number };
      try {
        return process.kill(pid, 'SIGKILL');
      } catch (thrown) {
        // It is between two lives: there is nothing to kill, and the caller chooses again.
        if ((thrown as NodeJS.ErrnoException).code === 'ESRCH') return false;
        throw thrown;
      }
    },
    stop() {
      child.kill('SIGTERM');
      return ended;
    },
    forget: () => rmSync(home, { recursive: true, force: true }),
  };
}
