import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { isRunning, parseIdentity } from '../../src/runtime/identity';

/** Stops the shared parts, if a test had them started, and removes what they kept. */
export default async function end(): Promise<void> {
  const run = process.env.FAZENDA_TEST_RUN;
  if (run === undefined) return;
  const pidFile = join(run, 'daemon.json');
  const daemon = existsSync(pidFile) ? parseIdentity(readFileSync(pidFile, 'utf8')) : undefined;
  if (daemon !== undefined && isRunning(daemon)) {
    process.kill(daemon.pid, 'SIGTERM');
    while (isRunning(daemon)) await sleep(50);
  }
  rmSync(run, { recursive: true, force: true });
}
