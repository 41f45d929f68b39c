import type { Command } from 'commander';
import type { Pool } from 'pg';
import type { Config } from '../config';
import { FazendaError, textOf, type ErrorCode } from '../errors';
import { openLog, type Logger } from '../log';
import { untilItWorks } from '../process';
import { configHere } from './endpoints';
import { act, type Voice } from './voice';

/** How long a store that is not there yet is waited for, s, unless told otherwise. */
const PATIENCE_S = 60;

/** Something that has to be in place: where, the code that says the store is away, and how it is made. */
interface Step {
  readonly what: string;
  readonly away: ErrorCode;
  /** Gives the sentence that says it is in place. */
  make(config: Config, log: Logger): Promise<string>;
}

const STEPS: readonly Step[] = [
  { what: 'PostgreSQL', away: 'FZ_POSTGRES_AWAY', make: makeTables },
  // What is away and no registry, and so has no code of its own, is PostgreSQL.
  { what: 'schemas', away: 'FZ_POSTGRES_AWAY', make: makeSchemas },
  { what: 'Kafka', away: 'FZ_KAFKA_AWAY', make: makeTopics },
  { what: 'the object store', away: 'FZ_STORAGE_AWAY', make: makeBucket },
  { what: 'Temporal', away: 'FZ_TEMPORAL_AWAY', make: makeSearchAttributes },
];

/** `migrate`: tables, topics, bucket and search attributes; what is there already stays as it is. */
export function migrateCommand(program: Command): void {
  const command = program
    .command('migrate')
    .description('make tables, schemas, topics, bucket and search attributes where they are missing')
    .option('--wait <seconds>', 'how long to wait for a store that is not there yet', String(PATIENCE_S));
  act(command, async (voice) => {
    const config = configHere();
    const waitS = Number(command.opts().wait);
    if (!(waitS >= 0)) throw new FazendaError('FZ_USAGE', '--wait takes a number of seconds');
    const patience: Patience = { log: openLog({ ...config, LOG_LEVEL: 'silent' }, 'migrate'), untilMs: Date.now() + waitS * 1_000, voice };
    const made = await Promise.all(STEPS.map(async (step) => [step.what, await makeWhenThere(step, config, patience)] as const));
    voice.result(Object.fromEntries(made));
  });
}

interface Patience {
  readonly log: Logger;
  readonly untilMs: number;
  readonly voice: Voice;
}

async function makeWhenThere({ what, away, make }: Step, config: Config, { log, untilMs, voice }: Patience): Promise<string> {
  let waiting = false;
  async function attempt(): Promise<string> {
    try {
      return await make(config, log);
    } catch (thrown) {
      if (!waiting) voice.line(`${what}: not there yet (${textOf(thrown)})`);
      waiting = true;
      throw thrown;
    }
  }
  try {
    const said = await untilItWorks(log, what, attempt, () => Date.now() > untilMs);
    voice.line(`${what}: ${said}`);
    return said;
  } catch (thrown) {
    if (thrown instanceof FazendaError && (!thrown.kind.retryable || thrown.code === 'FZ_SCHEMA_REGISTRY_AWAY')) throw thrown;
    throw new FazendaError(away, `${what}: ${thrown instanceof FazendaError ? thrown.message : textOf(thrown)}`, {}, thrown);
  }
}

async function makeTables(config: Config): Promise<string> {
  const { openPool } = await import('../facts/postgres.js');
  const db = openPool(config, 'migrate', 1);
  try {
    await makeTablesWith(db);
  } finally {
    await db.end();
  }
  return 'tables are in place';
}

/** Idempotent and under a lock: whoever needs the tables first makes them. */
async function makeTablesWith(db: Pool): Promise<void> {
  const { migrate } = await import('../facts/migrate.js');
  await migrate(db);
}

/** The contracts against all that was published; then the registry, and how each topic is written from now on. */
async function makeSchemas(config: Config): Promise<string> {
  const { checkPublished } = await import('../schemas/files.js');
  const { registerSchemas } = await import('../schemas/register.js');
  const { openPool } = await import('../facts/postgres.js');
  const unpublished = checkPublished();
  const db = openPool(config, 'migrate', 1);
  try {
    await makeTablesWith(db);
    const { avro, said } = await registerSchemas(config, db);
    if (unpublished.length > 0) said.push(`not published in docs/schemas: ${unpublished.join(', ')}`);
    return [avro.length > 0 ? `${avro.length} topics are written in Avro` : 'all topics are written as JSON', ...said].join('; ');
  } finally {
    await db.end();
  }
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
