// The benchmarks are TypeScript of the tests, which no build of dist/ holds: their types are dropped as they are
// loaded. The processes that are measured run from compiled files, as they do everywhere.
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { readFileSync } from 'node:fs';
import { root } from './common.mjs';

export function bench(args) {
  const require = createRequire(join(root, 'package.json'));
  const { transformSync } = require('@swc/core');
  require.extensions['.ts'] = (module, filename) => {
    const { code } = transformSync(readFileSync(filename, 'utf8'), {
      filename, swcrc: false, sourceMaps: 'inline', jsc: { parser: { syntax: 'typescript' }, target: 'es2023' }, module: { type: 'commonjs', ignoreDynamic: true },
    });
    module._compile(code, filename);
  };
  const entry = join(root, 'test', 'bench', 'main.ts');
  process.argv = [process.argv[0], entry, ...args];
  require(entry);
}
