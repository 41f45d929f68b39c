import { bundleWorkflowCode } from '@temporalio/worker';
import { existsSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { SupervisedChild } from '../../src/runtime/child';
import { NODE_FLAGS } from '../../src/runtime/node-flags';
import { compiled } from '../setup/compiled';
import type { Job } from './jobs';
import type { Stage } from './stage';

export const ENTRANTS = ['lanes', 'alone', 'naive', 'bare'] as const;
export type EntrantName = (typeof ENTRANTS)[number];

/** Lanes without the product know one kind of work. */
export function knows(entrant: EntrantName, job: Job['name']): boolean {
  return entrant !== 'bare' || job === 'steps';
}

export interface EntrantOptions {
  /** Stories of one lane of `lanes`, and of `bare`; lanes open at a time. */
  readonly laneSizeMax: number;
  readonly bareLaneSizeMax: number;
  readonly lanesOpenMax: number;
  /** Where each process leaves its CPU profile when it stops; none are made where it is undefined. */
  readonly profileFolder?: string;
}

/** An entrant's processes: kept alive, as `npm start` or an orchestrator would. */
export interface RunningEntrant {
  readonly roots: Readonly<Record<string, number>>;
  /** kill -9 of each of its processes; they come back. */
  killAll(): void;
  stop(): Promise<void>;
}

const READY_TIMEOUT_MS = 60_000;
const STOP_TIMEOUT_MS = 10_000;
const OURS = ['ingress', 'worker', 'relay'] as const;

/** Starts ours as they are in production, one process a thing, or one of the measures in its one. */
export async function startEntrant(name: EntrantName, stage: Stage, options: EntrantOptions): Promise<RunningEntrant> {
  const folder = await compiled();
  const bench = join(folder, 'test', 'bench');
  const shared = { LANES_OPEN_MAX: String(options.lanesOpenMax) };
  const children = name === 'naive' || name === 'bare'
    ? [childOf(name, [join(bench, name, 'bridge.js')], { ...shared, LANE_SIZE_MAX: String(options.bareLaneSizeMax) }, stage, options)]
    : await Promise.all(
        OURS.map(async (process) => {
          const env = {
            ...shared, WORKFLOW_BUNDLE: await bundle(folder),
            LANE_SIZE_MAX: String(name === 'alone' ? 1 : options.laneSizeMax),
          };
          return childOf(process, [join(bench, 'process.js'), process], env, stage, options);
        }),
      );
  await Promise.all(children.map((child) => child.start()));
  return {
    get roots() { return Object.fromEntries(children.map((child) => [child.spec.name, child.pid ?? 0])); },
    killAll: () => children.forEach((child) => child.kill('SIGKILL')),
    stop: async () => void (await Promise.all(children.map((child) => child.stop()))),
  };
}

function childOf(name: string, args: readonly string[], env: Record<string, string>, { env: given, home }: Stage, { profileFolder }: EntrantOptions): SupervisedChild {
  // Each thread leaves one of its own, named by Node.
  const profile = profileFolder ? ['--cpu-prof', `--cpu-prof-dir=${join(profileFolder, name)}`] : [];
  return new SupervisedChild(
    {
      name,
      command: process.execPath,
      args: [...profile, ...NODE_FLAGS, ...args],
      env: { ...given, ...env, LOG_FILE: home.path('logs', `${name}.log`) },
      logFile: home.path('logs', `${name}.log`),
      stopSignal: 'SIGTERM',
      stopTimeoutMs: STOP_TIMEOUT_MS,
      readyTimeoutMs: READY_TIMEOUT_MS,
      ready: 'message',
    },
    home.path('run', `${name}.json`),
    (event) => process.stderr.write(`${event.text}\n`),
  );
}

/** What production bundles, and the benchmark's job; once for every case of these sources. */
async function bundle(folder: string): Promise<string> {
  const path = join(folder, 'bench-bundle.js');
  if (existsSync(path)) return path;
  const quiet = (): void => undefined;
  const { code } = await bundleWorkflowCode({
    workflowsPath: join(folder, 'test', 'bench', 'steps', 'bundle.js'),
    preloadModules: [join(folder, 'workflows', 'kernel', 'untraced.js')],
    logger: { log: quiet, trace: quiet, debug: quiet, info: quiet, warn: console.warn, error: console.error },
  });
  const fresh = `${path}.${process.pid}.${Math.random()}`;
  writeFileSync(fresh, code);
  renameSync(fresh, path);
  return path;
}
