import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { alone, Failure, readJson, root } from './common.mjs';

const LOCK = join(root, 'package-lock.json');
const INSTALLED = join(root, 'node_modules', '.package-lock.json');

/** Runs `npm ci` unless every package of package-lock.json is installed in that very version. */
export function install() {
  if (isInstalled()) return;
  alone(() => {
    if (isInstalled()) return;
    console.error('Installing packages (npm ci) …');
    const args = ['ci', '--include=dev', '--no-audit', '--no-fund'];
    // npm tells its own path to what it runs; without it, npm is looked for on PATH.
    const npm = process.env.npm_execpath;
    const options = { cwd: root, stdio: 'inherit' };
    const fromNpm = npm !== undefined && /npm-cli\.c?js$/.test(npm);
    const { status, error } = fromNpm ? spawnSync(process.execPath, [npm, ...args], options) : spawnSync('npm', args, options);
    if (error !== undefined) throw new Failure(`FZ_INSTALL_FAILED: npm could not be started (${error.message}). Install npm 10 or later.`);
    if (status !== 0) throw new Failure('FZ_INSTALL_FAILED: npm ci failed, for the reason above. Put it right and start again.');
  });
}

/** By content, as a checkout gives files any date. Packages of other platforms are optional and may be away. */
function isInstalled() {
  if (!existsSync(INSTALLED)) return false;
  const wanted = readJson(LOCK)?.packages ?? {};
  const found = readJson(INSTALLED)?.packages ?? {};
  return Object.entries(wanted).every(([path, { version, optional, devOptional }]) => {
    return path === '' || found[path]?.version === version || (found[path] === undefined && (optional || devOptional));
  });
}
