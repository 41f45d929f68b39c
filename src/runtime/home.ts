import { randomBytes } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { FazendaError } from '../errors';
import { isErrno, isRunning, parseIdentity, signalGroup, type ProcessIdentity } from './identity';
import { lockHolder, tryLock, type Unlock } from './lock';

/** Where everything is, for people and programs outside; there only while all of it runs. */
export const ENDPOINTS_FILE = 'endpoints.json';

/** The token that opens everything, where it was made here and not given. */
export const ADMIN_TOKEN_FILE = 'admin-token';

const LEFTOVER_GRACE_MS = 8_000;
const LEFTOVER_POLL_MS = 100;

/** The folder that one start owns: data, logs, secrets, and the list of what it has running. */
export class Home {
  private constructor(
    readonly folder: string,
    private readonly unlock: Unlock,
  ) {}

  /**
   * Takes the folder for this process and ends what an earlier owner, killed without a chance to clean
   * up, left running from it. Errors: FZ_HOME_IN_USE when a living process owns it.
   */
  static async open(folder: string): Promise<Home> {
    for (const part of ['run', 'logs', 'data']) mkdirSync(join(folder, part), { recursive: true });
    const path = join(folder, 'owner.lock');
    const unlock = tryLock(path);
    if (unlock === undefined) {
      throw new FazendaError('FZ_HOME_IN_USE', `${folder} belongs to the running process ${lockHolder(path)?.pid ?? '(unknown)'}`);
    }
    // What a killed owner said about itself is no longer so.
    rmSync(join(folder, ENDPOINTS_FILE), { force: true });
    await endLeftovers(join(folder, 'run'));
    return new Home(folder, unlock);
  }

  path(...parts: string[]): string {
    return join(this.folder, ...parts);
  }

  /** A random secret that is made once and kept in a file which only its owner can read. */
  secret(name: string): string {
    return this.remember(name, () => randomBytes(24).toString('base64url'));
  }

  /** A word that is made once and the same ever after. The file is readable by its owner alone. */
  remember(name: string, make: () => string): string {
    try {
      return readFileSync(this.path(name), 'utf8').trim();
    } catch (thrown) {
      if (!isErrno(thrown, 'ENOENT')) throw thrown;
    }
    const word = make();
    writeFileSync(this.path(name), `${word}\n`, { mode: 0o600, flag: 'wx' });
    return word;
  }

  close(): void {
    this.unlock();
  }
}

/** Ends, gently and then by force, each process recorded in the folder that still is the one recorded. */
async function endLeftovers(folder: string): Promise<void> {
  const files = readdirSync(folder).filter((name) => name.endsWith('.json'));
  const left: ProcessIdentity[] = [];
  for (const file of files) {
    const text = readFileSync(join(folder, file), 'utf8');
    const who = parseIdentity(text);
    if (who === undefined || !isRunning(who)) continue;
    left.push(who);
    // Postgres calls its quick but orderly stop SIGINT; all others take SIGTERM so.
    process.kill(who.pid, text.includes('"SIGINT"') ? 'SIGINT' : 'SIGTERM');
  }
  const deadline = Date.now() + LEFTOVER_GRACE_MS;
  while (left.some(isRunning)) {
    if (Date.now() > deadline) for (const who of left.filter(isRunning)) signalGroup(who.pid, 'SIGKILL');
    await sleep(LEFTOVER_POLL_MS);
  }
  for (const file of files) rmSync(join(folder, file), { force: true });
}
