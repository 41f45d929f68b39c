import { Command, CommanderError } from 'commander';
import { domains } from '../../workflows/domains';
import { FazendaError } from '../errors';
import { auditCommand } from './audit';
import { devCommand } from './dev';
import { dlqCommand } from './dlq';
import { doctorCommand } from './doctor';
import { logsCommand } from './logs';
import { migrateCommand } from './migrate';
import { rebuildCommand } from './rebuild';
import { recoverCommand } from './recover';
import { replayCommand } from './replay';
import { schemasCommand } from './schemas';
import { statsCommand } from './stats';
import { storyCommand } from './story';
import { submitCommand } from './submit';
import { topicsCommand } from './topics';
import { updateCommands } from './update';
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
  for (const domain of domains) {
    const noun = storyCommand(program, domain);
    submitCommand(program, noun, domain);
    updateCommands(noun, domain);
  }
  dlqCommand(program);
  topicsCommand(program);
  replayCommand(program);
  rebuildCommand(program);
  auditCommand(program);
  recoverCommand(program);
  statsCommand(program);
  schemasCommand(program);
  logsCommand(program);
  doctorCommand(program);
  return program;
}

async function main(): Promise<void> {
  process.stdout.on('error', () => process.exit()); // Whoever read it has heard enough, as `head` does.
  try {
    await makeProgram().parseAsync();
  } catch (thrown) {
    process.exitCode = thrown instanceof CommanderError ? thrown.exitCode : 1;
    // Help was shown, because it was asked for or because nothing was.
    if (thrown instanceof CommanderError && /^commander\.(help|version)/.test(thrown.code)) return;
    new Voice(process.argv.includes('--json')).fault(thrown instanceof CommanderError ? usage(thrown) : thrown);
  }
  setTimeout(() => process.exit(), LINGER_MS).unref();
}

function usage({ message }: CommanderError): FazendaError {
  return new FazendaError('FZ_USAGE', message.replace(/^error: /, '').replaceAll('\n', ' '));
}

void main();
