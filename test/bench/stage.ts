import { readFileSync } from 'node:fs';
import { Kafka, logLevel } from 'kafkajs';
import type { Pool } from 'pg';
import { readConfig } from '../../src/config';
import { migrate } from '../../src/facts/migrate';
import { openPool } from '../../src/facts/postgres';
import { PARTITIONS, topicNames } from '../../src/kafka/topics';
import { parseIdentity } from '../../src/runtime/identity';
import { startParts, type RunningParts } from '../../src/runtime/parts';
import { ownDatabase } from '../setup/database';
import { ownNamespace } from '../setup/namespace';
import { removeTempHomes, tempHome } from '../setup/temp-home';
import { startTemporalServer, type TemporalServer } from './temporal-server';

/** What one case runs on: nobody was here before. */
export interface Stage {
  /** For the processes of an entrant: everything that `process.env` should be. */
  readonly env: Readonly<Record<string, string>>;
  readonly brokers: string;
  readonly prefix: string;
  readonly db: Pool;
  readonly home: RunningParts['home'];
  /** The processes of each part, to count their CPU; undefined where a part was given and is not ours to look at. */
  readonly roots: Readonly<Record<string, number>> | undefined;
  close(): Promise<void>;
}

/**
 * Kafka, PostgreSQL (fsync on) and a Temporal server on that PostgreSQL, all fresh: only then no case pays for
 * the one before. A part that the environment names is used as it is, with a database, a namespace and topics
 * of the case's own.
 */
export async function openStage(env: NodeJS.ProcessEnv, say: (text: string) => void, signal: AbortSignal): Promise<Stage> {
  const closers: (() => Promise<unknown>)[] = [];
  const close = async (): Promise<void> => {
    for (const one of closers.splice(0).reverse()) await one();
    removeTempHomes();
  };
  try {
    const parts = await startParts({ home: tempHome(), parts: ['kafka', 'postgres'], env, signal });
    closers.push(() => parts.stop());
    const context = { env, signal, say };
    const server = env.TEMPORAL_ADDRESS ? undefined : await startTemporalServer(context, parts.home, parts.ports, parts.env.DATABASE_URL ?? '');
    if (server) closers.push(() => server.stop());
    const address = env.TEMPORAL_ADDRESS || server?.address || '';

    const database = await ownDatabase(parts.env.DATABASE_URL ?? '');
    closers.push(() => database.drop());
    const prefix = `b${Date.now()}.`;
    const own = {
      ...definedOnly(env), ...parts.env, DATABASE_URL: database.url, KAFKA_TOPIC_PREFIX: prefix, METRICS_PORT: '0', LOG_LEVEL: env.LOG_LEVEL || 'warn',
      TEMPORAL_ADDRESS: address, TEMPORAL_NAMESPACE: await ownNamespace(address), TEMPORAL_TASK_QUEUE: 'bench', FAZENDA_HOME: parts.home.folder,
    };
    const db = openPool(readConfig(own), 'bench', 2);
    closers.push(() => db.end());
    await migrate(db);
    await makeTopics(parts.env.KAFKA_BROKERS ?? '', prefix);
    return { env: own, brokers: parts.env.KAFKA_BROKERS ?? '', prefix, db, home: parts.home, roots: rootsOf(parts, server), close };
  } catch (thrown) {
    await close();
    throw thrown;
  }
}

/** Times are the broker's own, taken when it appends: no entrant's clock and no entrant's delay in sending counts. */
async function makeTopics(brokers: string, prefix: string): Promise<void> {
  const admin = new Kafka({ clientId: 'bench', brokers: brokers.split(','), logLevel: logLevel.NOTHING }).admin();
  await admin.connect();
  const { topics, doors, deadLetters } = topicNames();
  await admin.createTopics({
    waitForLeaders: true,
    topics: [...topics, ...deadLetters].map((name) => ({
      topic: `${prefix}${name}`,
      numPartitions: deadLetters.includes(name) ? 1 : PARTITIONS,
      replicationFactor: 1,
      configEntries: [
        { name: 'message.timestamp.type', value: 'LogAppendTime' },
        { name: 'compression.type', value: doors.includes(name) ? 'gzip' : 'producer' },
      ],
    })),
  });
  await admin.disconnect();
}

function rootsOf({ how, home }: RunningParts, server: TemporalServer | undefined): Record<string, number> | undefined {
  if (Object.values(how).includes('external') || server?.pid === undefined) return undefined;
  const pidOf = (part: string): number => parseIdentity(readFileSync(home.path('run', `${part}.json`), 'utf8'))?.pid ?? 0;
  return { kafka: pidOf('kafka'), postgres: pidOf('postgres'), temporal: server.pid };
}

function definedOnly(env: NodeJS.ProcessEnv): Record<string, string> {
  return Object.fromEntries(Object.entries(env).filter((pair): pair is [string, string] => pair[1] !== undefined));
}
