import { transformFile } from '@swc/core';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { bundleWorkflows } from '../../src/runtime/bundle';
import { withLock } from '../../src/runtime/lock';

const ROOT = resolve(__dirname, '../..');
const OUT = join(ROOT, '.test-dist');
const FOLDERS = ['src', 'workflows', 'activities', 'workers', 'test/setup', 'test/bench'];
const KEPT_MS = 24 * 3_600_000;

/**
 * The sources as JavaScript, without a type-check, for tests that run real processes: the folder has
 * `workers/<name>.js` and `src/cli/main.js`. Kept by content, so that only a change costs the second it takes.
 */
export async function compiled(): Promise<string> {
  const files = sources();
  const folder = join(OUT, digestOf(files));
  if (existsSync(folder)) return folder;
  return await withLock(`${folder}.lock`, async () => {
    if (existsSync(folder)) return folder;
    forgetOld();
    const partial = `${folder}.partial`;
    rmSync(partial, { recursive: true, force: true });
    await Promise.all(files.map((file) => compile(file, join(partial, file.replace(/\.ts$/, '.js')))));
    renameSync(partial, folder);
    return folder;
  });
}

/** The same with the workflows bundled, for WORKFLOW_BUNDLE or `workflowBundle: {codePath}`: its path. */
export async function workflowBundle(): Promise<string> {
  const folder = await compiled();
  const key = digestOf(sources().filter((file) => file.startsWith('workflows/')));
  const path = join(OUT, `workflows-${key}.js`);
  if (existsSync(path)) return path;
  return await withLock(`${path}.lock`, async () => {
    if (!existsSync(path)) renameSync(await bundleWorkflows(folder), path);
    return path;
  });
}

function sources(): string[] {
  return FOLDERS.flatMap((folder) =>
    readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.ts'))
      .map((name) => join(folder, name)),
  ).sort();
}

function digestOf(files: readonly string[]): string {
  const hash = createHash('sha256');
  for (const file of files) hash.update(`${file}\0`).update(readFileSync(join(ROOT, file))).update('\0');
  return hash.digest('hex').slice(0, 16);
}

async function compile(file: string, target: string): Promise<void> {
  const { code } = await transformFile(join(ROOT, file), {
    swcrc: false,
    jsc: { parser: { syntax: 'typescript' }, target: 'es2023' },
    // What a dynamic import finds by name has to be announced, as tsc does by the way it writes exports.
    module: { type: 'commonjs', ignoreDynamic: true, exportInteropAnnotation: true },
    sourceMaps: 'inline',
  });
  mkdirSync(dirname(target), { recursive: true });
  writeFileSync(target, code);
}

function forgetOld(): void {
  if (!existsSync(OUT)) return;
  for (const name of readdirSync(OUT)) {
    const path = join(OUT, name);
    if (Date.now() - statSync(path).mtimeMs > KEPT_MS) rmSync(path, { recursive: true, force: true });
  }
}
