import { spawn } from 'node:child_process';
import { closeSync, existsSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { isRunning, parseIdentity } from '../../src/runtime/identity';
import { withLock } from '../../src/runtime/lock';
import type { PartName } from '../../src/runtime/parts';
import { installTestServer } from '../../src/runtime/parts/test-server';
import { compiled } from './compiled';

/** Long enough for a machine that has to build Temporal first; give `beforeAll` as much. */
export const PARTS_TIMEOUT_MS = 20 * 60_000;
const POLL_MS = 100;

/**
 * The environment of real parts (KAFKA_BROKERS, TEMPORAL_ADDRESS, DATABASE_URL, S3_…), shared by all files
 * of this run and started when the first one asks. Nothing else is shared: give your test its own topic
 * prefix, database, task queue and bucket.
 * Errors: what `startParts` says, when they cannot be started.
 */
export async function realParts(): Promise<Readonly<Record<string, string>>> {
  const run = runFolder();
  const answer = join(run, 'parts.json');
  return await withLock(join(run, 'parts.lock'), async () => {
    if (!existsSync(answer)) await startDaemon(run, answer);
    const said = JSON.parse(readFileSync(answer, 'utf8')) as { env?: Record<string, string>; error?: string };
    if (said.env === undefined) throw new Error(said.error ?? 'the parts did not start');
    return said.env;
  });
}

/**
 * Sends a signal to a shared part's process: SIGKILL crashes it and it comes back on its port within
 * seconds; SIGSTOP makes it hang until SIGCONT. Wait for what you need of it before the test ends.
 */
export function signalPart(part: PartName, signal: NodeJS.Signals): void {
  const who = parseIdentity(readFileSync(join(runFolder(), 'home', 'run', `${part}.json`), 'utf8'));
  if (who === undefined || !isRunning(who)) throw new Error(`${part} is not running`);
  process.kill(who.pid, signal);
}

/** The time-skipping server's script, for `createTimeSkipping({server: {executable: {type: 'existing-path', path}}})`. */
export async function timeSkippingServer(say: (text: string) => void = () => undefined): Promise<string> {
  return await installTestServer({ env: process.env, signal: AbortSignal.timeout(PARTS_TIMEOUT_MS), say });
}

function runFolder(): string {
  const run = process.env.FAZENDA_TEST_RUN;
  if (run === undefined) throw new Error('run the tests by `npm test`: their set-up makes the folder that this needs');
  return run;
}

async function startDaemon(run: string, answer: string): Promise<void> {
  const script = join(await compiled(), 'test', 'setup', 'daemon.js');
  const log = openSync(join(run, 'daemon.log'), 'a');
  const args = ['--enable-source-maps', script, run, process.env.FAZENDA_TEST_OWNER ?? ''];
  const daemon = spawn(process.execPath, args, { detached: true, stdio: ['ignore', log, log] });
  closeSync(log);
  let ended = false;
  daemon.once('exit', () => {
    ended = true;
  });
  while (!existsSync(answer)) {
    if (ended && !existsSync(answer)) throw new Error(`the parts' daemon ended:\n${readFileSync(join(run, 'daemon.log'), 'utf8')}`);
    await sleep(POLL_MS);
  }
  daemon.unref();
}
