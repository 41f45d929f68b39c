import type { Command } from 'commander';
import { join } from 'node:path';
import { checkoutRoot } from '../runtime/root';
import { searchAttributes } from '../temporal/attributes';
import { act } from './voice';

/** `dev`: what `npm start` runs. */
export function devCommand(program: Command): void {
  const command = program.command('dev').description('start every part and every process, in the foreground (npm start)');
  act(command, async () => {
    const { runDev } = await import('../runtime/dev.js');
    return await runDev({ env: process.env, dist: join(checkoutRoot(), 'dist'), searchAttributes: searchAttributes() });
  });
}
