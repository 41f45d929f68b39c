import { createHash } from 'node:crypto';
import { createReadStream, existsSync, lstatSync, mkdirSync, readdirSync, readFileSync, readlinkSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join, relative, resolve } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { FazendaError } from '../../errors';
import { withLock } from '../lock';
import type { InstallContext } from './part';

export interface Recipe {
  readonly name: string;
  readonly version: string;
  /** The digest of all its files where it is the same for everybody (jars); undefined for what is compiled here. */
  readonly digest?: string;
  /** Fills the empty folder. Errors: whatever its tools say; nothing is kept then. */
  build(folder: string): Promise<void>;
}

/** $FAZENDA_CACHE, else the XDG cache folder, else ~/.cache/fazenda: shared by checkouts, tests and starts. */
export function cacheFolder(env: NodeJS.ProcessEnv): string {
  const base = env.XDG_CACHE_HOME;
  return resolve(env.FAZENDA_CACHE ?? join(base === undefined || base === '' ? join(env.HOME ?? homedir(), '.cache') : base, 'fazenda'));
}

/**
 * The folder of a built program, built first if it is not there. Each file's SHA-256 is noted when it is
 * built and compared before every use, so that nothing damaged or tampered with is run: it is built
 * again instead. Two starts never build the same thing at once.
 * Errors: FZ_CACHE_CORRUPT when what the registry gave is not what this version is known to be.
 */
export async function fromCache(recipe: Recipe, context: InstallContext, base = cacheFolder(context.env)): Promise<string> {
  const key = `${recipe.version}-${process.platform}-${process.arch}`;
  const folder = join(base, recipe.name, key);
  if ((await damage(folder, recipe)) === undefined) return folder;
  await withLock(
    `${folder}.lock`,
    async () => {
      const damaged = await damage(folder, recipe);
      if (damaged === undefined) return;
      if (existsSync(manifestOf(folder))) context.say(`${recipe.name} in the cache is damaged (${damaged}); building it again`);
      const partial = `${folder}.partial`;
      for (const old of [partial, manifestOf(folder), folder]) rmSync(old, { recursive: true, force: true });
      mkdirSync(partial, { recursive: true });
      await recipe.build(partial);
      const sums = await checksums(partial);
      const digest = digestOf(sums);
      if (recipe.digest !== undefined && recipe.digest !== digest) {
        throw new FazendaError('FZ_CACHE_CORRUPT', `${recipe.name} ${recipe.version} came with the digest ${digest} instead of ${recipe.digest}: ${partial}`);
      }
      renameSync(partial, folder);
      writeFileSync(manifestOf(folder), JSON.stringify(sums, null, 1));
    },
    { signal: context.signal, onWait: () => context.say(`waiting for another start that builds ${recipe.name}`) },
  );
  return folder;
}

function manifestOf(folder: string): string {
  return `${folder}.sha256.json`;
}

/** What is wrong with a cached folder, in words; undefined when it is exactly as it was built. */
async function damage(folder: string, recipe: Recipe): Promise<string | undefined> {
  if (!existsSync(folder) || !existsSync(manifestOf(folder))) return 'it is not there';
  const now = await checksums(folder);
  if (recipe.digest !== undefined) return digestOf(now) === recipe.digest ? undefined : 'its digest is another';
  const noted: unknown = JSON.parse(readFileSync(manifestOf(folder), 'utf8'));
  const then = new Map(typeof noted === 'object' && noted !== null ? Object.entries(noted) : []);
  const differing = [...new Set([...then.keys(), ...Object.keys(now)])].find((name) => then.get(name) !== now[name]);
  return differing === undefined ? undefined : `${differing} is not what was built`;
}

/** SHA-256 of each file below a folder by relative path, in path order; a link counts by where it points. */
async function checksums(folder: string): Promise<Record<string, string>> {
  const sums: Record<string, string> = {};
  const paths = readdirSync(folder, { recursive: true, encoding: 'utf8' }).map((name) => join(folder, name)).sort();
  for (const path of paths) {
    const stat = lstatSync(path);
    if (stat.isSymbolicLink()) sums[relative(folder, path)] = `-> ${readlinkSync(path)}`;
    else if (stat.isFile()) sums[relative(folder, path)] = await sha256(path);
  }
  return sums;
}

async function sha256(path: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(path, { highWaterMark: 1 << 20 }), hash);
  return hash.digest('hex');
}

function digestOf(sums: Readonly<Record<string, string>>): string {
  return createHash('sha256').update(Object.entries(sums).map(([name, sum]) => `${sum}  ${name}\n`).join('')).digest('hex');
}
