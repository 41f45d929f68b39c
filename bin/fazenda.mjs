#!/usr/bin/env node
// The first thing that runs on a bare checkout, so plain JavaScript on Node alone. It sees to it that what
// is installed and built fits the sources, then hands over, in this same process: a signal has one address.
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { build } from './build.mjs';
import { Failure, root } from './common.mjs';
import { install } from './install.mjs';

const NODE_MIN = [20, 19];

try {
  checkNode();
  const [command, ...rest] = process.argv.slice(2);
  install();
  if (command === 'test') await test(rest);
  else if (command === 'bench') (await import('./bench.mjs')).bench(rest);
  else await main();
} catch (thrown) {
  if (!(thrown instanceof Failure)) throw thrown;
  console.error(thrown.message);
  process.exitCode = 1;
}

function checkNode() {
  const [major, minor] = process.versions.node.split('.').map(Number);
  const fits = major > NODE_MIN[0] || (major === NODE_MIN[0] && minor >= NODE_MIN[1]);
  if (!fits) throw new Failure(`FZ_NODE_TOO_OLD: this is Node ${process.versions.node}. Use Node ${NODE_MIN.join('.')} or later.`);
}

async function main() {
  build();
  const entry = join(root, 'dist', 'src', 'cli', 'main.js');
  process.argv[1] = entry;
  createRequire(pathToFileURL(entry))(entry);
}

/** Jest transforms what it needs by itself: no build, so that a type error in one room fails no other's test. */
async function test(args) {
  process.chdir(root);
  process.env.NODE_ENV ??= 'test';
  const results = process.env.FAZENDA_TEST_RESULTS;
  const { run } = createRequire(join(root, 'package.json'))('jest');
  await run(results ? ['--json', `--outputFile=${results}`, ...args] : args);
}
