// Run after `npm install NAME`, where the registry does not serve every platform's packages: npm then leaves
// those out of package-lock.json, and `npm ci` refuses such a lock file on every machine. This adds what the
// packages themselves say: name, exact version, and the platform that the name speaks of.
import { readFileSync, writeFileSync } from 'node:fs';

const FILE = new URL('../package-lock.json', import.meta.url);
const SYSTEMS = ['darwin', 'linux', 'win32', 'freebsd', 'android', 'openharmony'];
const PROCESSORS = ['arm64', 'x64', 'ia32', 'ppc64', 's390x', 'loong64', 'riscv64', 'wasm32', 'arm'];

const lock = JSON.parse(readFileSync(FILE, 'utf8'));
for (const [path, { dev, optionalDependencies = {} }] of Object.entries(lock.packages)) {
  for (const [name, version] of Object.entries(optionalDependencies)) {
    if (isLocked(path, name)) continue;
    const words = name.split(/[-/]/);
    const os = SYSTEMS.filter((word) => words.includes(word));
    const cpu = PROCESSORS.filter((word) => words.includes(word));
    const libc = words.some((word) => word.startsWith('gnu')) ? ['glibc'] : words.some((word) => word.startsWith('musl')) ? ['musl'] : [];
    const known = Object.entries({ cpu, libc, os }).filter(([, values]) => values.length > 0);
    lock.packages[`node_modules/${name}`] = { version, ...(dev ? { dev } : {}), optional: true, ...Object.fromEntries(known) };
    console.log(`added ${name}@${version}`);
  }
}
lock.packages = Object.fromEntries(Object.entries(lock.packages).sort(([a], [b]) => (a < b ? -1 : 1)));
writeFileSync(FILE, `${JSON.stringify(lock, null, 2)}\n`);

/** As Node resolves: beside the package that asks, or in any folder above it. */
function isLocked(path, name) {
  for (let at = path; ; at = at.slice(0, Math.max(at.lastIndexOf('/node_modules/'), 0))) {
    if (lock.packages[`${at === '' ? '' : `${at}/`}node_modules/${name}`]?.version !== undefined) return true;
    if (at === '') return false;
  }
}
