import type { Command } from 'commander';
import type { Config } from '../config';
import { openLog, type Logger } from '../log';
import { untilItWorks } from '../process';
import { configHere } from './endpoints';
import { act } from './voice';

/** How long a store that is not there yet is waited for, s, unless told otherwise. */
const PATIENCE_S = 60;

/** One thing that has to be in place, and the sentence that says it is. */
type Step = readonly [what: string, make: (config: Config, log: Logger) => Promise<string>];

const STEPS: readonly Step[] = [
  ['PostgreSQL', makeTables],
  ['Kafka', makeTopics],
  ['the object store', makeBucket],
  ['Temporal', makeSearchAttributes],
];

/** `migrate`: tables, topics, bucket and search attributes; what is there already stays as it is. */
export function migrateCommand(program: Command): void {
  const command = program
    .command('migrate')
    .description('make tables, topics, bucket and search attributes where they are missing')
    .option('--wait <seconds>', 'how long to wait for a store that is not there yet', String(PATIENCE_S));
  act(command, async (voice) => {
    const config = configHere();
    const log = openLog({ ...config, LOG_LEVEL: voice.json ? 'silent' : config.LOG_LEVEL }, 'migrate');
    const until = Date.now() + Number(command.opts().wait) * 1_000;
    const made = await Promise.all(
      STEPS.map(async ([what, make]) => {
        const said = await untilItWorks(log, what, () => make(config, log), () => Date.now() > until);
        voice.line(`${what}: ${said}`);
        return [what, said] as const;
      }),
    );
    voice.result(Object.fromEntries(made));
  });
}

async function makeTables(config: Config): Promise<string> {
  const { openPool } = await import('../facts/postgres.js');
  const { migrate } = await import('../facts/migrate.js');
  const db = openPool(config, 'migrate', 1);
  try {
    await migrate(db);
  } finally {
    await db.end();
  }
  return 'tables are in place';
}

async function makeTopics(config: Config, log: Logger): Promise<string> {
  const { createTopics } = await import('../kafka/topics.js');
  const made = await createTopics(config, log);
  return made.length > 0 ? `${made.length} topics made` : 'topics are in place';
}

async function makeBucket(config: Config): Promise<string> {
  const { openObjectStore } = await import('../storage/s3.js');
  const store = openObjectStore(config);
  try {
    await store.ensureBucket();
  } finally {
    store.close();
  }
  return `bucket ${config.S3_BUCKET} is in place`;
}

async function makeSearchAttributes(config: Config): Promise<string> {
  const { connectTemporal } = await import('../temporal/connect.js');
  const { registerSearchAttributes } = await import('../temporal/register.js');
  const { connection } = await connectTemporal(config);
  try {
    const made = await registerSearchAttributes(connection, config.TEMPORAL_NAMESPACE);
    return made.length > 0 ? `search attributes made: ${made.join(', ')}` : 'search attributes are in place';
  } finally {
    await connection.close();
  }
}
