import { randomUUID } from 'node:crypto';
import { chmodSync, chownSync, existsSync, mkdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { FazendaError } from '../../errors';
import type { Home } from '../home';

/** Root's own place for what must be readable by a user without rights. */
const OPEN_FOLDER = '/var/lib/fazenda';
const USERS = ['postgres', 'nobody'];

export interface User {
  readonly uid: number;
  readonly gid: number;
}

/** Whom PostgreSQL runs as: it refuses to run as root. Undefined where we are not root ourselves. */
export function unprivilegedUser(): User | undefined {
  if (process.getuid?.() !== 0) return undefined;
  const accounts = readFileSync('/etc/passwd', 'utf8').split('\n').map((line) => line.split(':'));
  for (const name of USERS) {
    const account = accounts.find(([login]) => login === name);
    if (account !== undefined) return { uid: Number(account[2]), gid: Number(account[3]) };
  }
  throw new FazendaError('FZ_PART_UNAVAILABLE', 'PostgreSQL does not run as root, and there is no user `postgres` or `nobody` to run it as');
}

/**
 * A data folder inside home that the user may reach. Where home lies below a folder closed to others (a
 * 0700 home, a CI clone) it is `/var/lib/fazenda/<random id>`, and home remembers the id.
 */
export function dataFolderFor(user: User | undefined, home: Home, name: string): string {
  const inHome = home.path('data', name);
  if (user === undefined) return inHome;
  // Where the data lies already is where it stays, whatever became of the folders above.
  const open = !existsSync(home.path('data-id')) && (existsSync(inHome) || isOpenToAll(home.path('data')));
  const folder = open ? inHome : join(OPEN_FOLDER, home.remember('data-id', randomUUID), name);
  if (!open) mkdirSync(dirname(folder), { recursive: true, mode: 0o755 });
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  chownSync(folder, user.uid, user.gid);
  return folder;
}

/** A cache folder that the user may read: the one given if it is open to all, else root's own. */
export function cacheFolderFor(user: User | undefined, cache: string): string {
  mkdirSync(cache, { recursive: true });
  if (user === undefined || isOpenToAll(cache)) return cache;
  const folder = join(OPEN_FOLDER, 'cache');
  mkdirSync(folder, { recursive: true, mode: 0o755 });
  return folder;
}

/** True when everybody may pass through all folders down to this one. */
export function isOpenToAll(folder: string): boolean {
  for (let at = folder; ; at = dirname(at)) {
    if ((statSync(at).mode & 0o001) === 0) return false;
    if (at === dirname(at)) return true;
  }
}

/** Gives a file to the user alone, so that no secret in it is read by others. */
export function handOver(path: string, user: User | undefined): void {
  chmodSync(path, 0o600);
  if (user !== undefined && existsSync(path)) chownSync(path, user.uid, user.gid);
}
