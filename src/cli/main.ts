import { Command, CommanderError } from 'commander';
import { domains } from '../../workflows/domains';
import { FazendaError } from '../errors';
import { devCommand } from './dev';
import { migrateCommand } from './migrate';
import { Voice } from './voice';

/** A process that has said its result and still has something open waits for it no longer than this. */
const LINGER_MS = 2_000;

function makeProgram(): Command {
  const program = new Command('fazenda')
    .description('Durable business work on Temporal, with Kafka on both sides.')
    .option('--json', 'one JSON document instead of lines')
    // What is wrong with the command line is said like every other fault.
    .configureOutput({ outputError: () => undefined })
    .exitOverride();
  devCommand(program);
  migrateCommand(program);
  return program;
}

async function main(): Promise<void> {
  process.stdout.on('error', () => process.exit()); // Whoever read it has heard enough, as `head` does.
  try {
    await makeProgram().parseAsync();
  } catch (thrown) {
    if (!(thrown instanceof CommanderError)) throw thrown;
    process.exitCode = thrown.exitCode;
    if (thrown.exitCode !== 0) {
      const said = thrown.message.replace(/^error: /, '');
      new Voice(process.argv.includes('--json')).fault(new FazendaError('FZ_USAGE', said));
    }
  }
  setTimeout(() => process.exit(), LINGER_MS).unref();
}

void domains;
void main();
