import { readFileSync } from 'node:fs';
import { join } from 'node:path';

interface Locked {
  version?: string;
  resolved?: string;
  optionalDependencies?: Record<string, string>;
}

const { packages } = JSON.parse(readFileSync(join(__dirname, '..', 'package-lock.json'), 'utf8')) as { packages: Record<string, Locked> };

// npm leaves out what the registry at hand does not serve, and `npm ci` then refuses the file everywhere.
test('package-lock.json has every platform’s packages (else run: node .ci/complete-lock.mjs)', () => {
  const locked = new Set(Object.entries(packages).flatMap(([path, { version }]) => (version === undefined ? [] : [path.split('node_modules/').pop() ?? ''])));
  const wanted = Object.values(packages).flatMap(({ optionalDependencies }) => Object.keys(optionalDependencies ?? {}));
  expect(wanted.length).toBeGreaterThan(0);
  expect(wanted.filter((name) => !locked.has(name))).toEqual([]);
});

test('package-lock.json names no registry, so that it fits whichever is set up', () => {
  expect(Object.entries(packages).filter(([, { resolved }]) => resolved !== undefined)).toEqual([]);
});
