import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { alone, Failure, readJson, root, sha256 } from './common.mjs';

const DIST = join(root, 'dist');
const STAMP = join(DIST, '.sources.json');
const FOLDERS = ['src', 'workflows', 'activities', 'workers'];
const FILES = ['package-lock.json', 'tsconfig.json', 'tsconfig.build.json'];

/**
 * Brings dist/ up to date with the sources, if it is not. The stamp has each source's date, size and hash:
 * the first two answer in milliseconds, the hash where a checkout or a touch changed only the date.
 */
export function build() {
  if (isFresh()) return;
  alone(() => {
    const sources = look();
    const built = readJson(STAMP) ?? {};
    const changed = [...new Set([...Object.keys(sources), ...Object.keys(built)])].filter((path) => built[path]?.hash !== sources[path]?.hash);
    if (changed.length === 0) return stamp(sources);
    console.error(existsSync(STAMP) ? `Building, as ${changed.length} files changed …` : 'Building …');
    // What was compiled from a file that is gone, or by another compiler, must go as well.
    if (changed.some((path) => sources[path] === undefined || FILES.includes(path))) rmSync(DIST, { recursive: true, force: true });
    node([join(root, 'node_modules', 'typescript', 'bin', 'tsc'), '-p', 'tsconfig.build.json']);
    // A contract that older records could not be read by is no better than a source that does not compile.
    node([join(DIST, 'src', 'cli', 'main.js'), 'schemas', '--check']);
    const bundled = existsSync(join(DIST, 'workflow-bundle.js')) && !changed.some((path) => path.startsWith('workflows/'));
    if (!bundled) node([join(DIST, 'src', 'runtime', 'bundle.js'), DIST]);
    stamp(sources);
  });
}

function isFresh() {
  const built = readJson(STAMP);
  if (built === undefined) return false;
  const paths = list();
  return paths.length === Object.keys(built).length && paths.every((path) => {
    const { mtimeMs, size } = statSync(join(root, path));
    return built[path]?.mtimeMs === mtimeMs && built[path].size === size;
  });
}

function list() {
  const inside = (folder) => readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.ts'))
    .map((entry) => relative(root, join(entry.parentPath ?? entry.path, entry.name)));
  return [...FILES, ...FOLDERS.flatMap(inside)].sort();
}

function look() {
  return Object.fromEntries(list().map((path) => {
    const { mtimeMs, size } = statSync(join(root, path));
    return [path, { mtimeMs, size, hash: sha256(readFileSync(join(root, path))) }];
  }));
}

function stamp(sources) {
  writeFileSync(STAMP, JSON.stringify(sources));
}

function node(args) {
  const { status } = spawnSync(process.execPath, args, { cwd: root, stdio: 'inherit' });
  if (status !== 0) throw new Failure('FZ_BUILD_FAILED: the sources do not compile, or break what they promised, for the reason above. Correct them and start again.');
}
