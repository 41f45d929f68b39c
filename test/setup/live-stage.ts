import { fork, type ChildProcess } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import type { Pool } from 'pg';
import { readConfig, type Config } from '../../src/config';
import { migrate } from '../../src/facts/migrate';
import { openPool } from '../../src/facts/postgres';
import { factsFrom } from '../../src/facts/read';
import { tellFacts } from '../../src/facts/tell';
import type { OutgoingRecord, Producer } from '../../src/kafka/port';
import { openProducer } from '../../src/kafka/producer';
import { createTopics } from '../../src/kafka/topics';
import { openLog } from '../../src/log';
import { recordOfFact } from '../../src/relay/publish';
import { JSON_FORMATS } from '../../src/schemas/wire';
import { PortBook } from '../../src/runtime/ports';
import { content } from '../../workflows/content/definition';
import { compiled } from './compiled';
import { ownDatabase } from './database';
import { realParts } from './stack';
import { storyOf, tellingsOf } from './story';
import { awaitLeaders } from './topic';

/** Real Postgres and Kafka with gateways as processes; the test itself plays the stories and the relay. */
export interface LiveStage {
  readonly config: Config;
  readonly db: Pool;
  readonly producer: Producer;
  /** A gateway's process, ready to be connected to; on a port of its own unless told. */
  startGateway(options?: { env?: Record<string, string>; port?: number }): Promise<GatewayProcess>;
  /** Stores these versions of a task that goes well, and tells nobody. */
  store(id: string, ...versions: number[]): Promise<void>;
  /** Makes the task's story another than that of `storyOf`. */
  plan(id: string, story: ReturnType<typeof storyOf>): void;
  /** Puts the stored facts of these versions on Kafka, in this order, as the relay would. */
  publish(id: string, ...versions: number[]): Promise<void>;
  /** The same records, for whoever wants to send them later. */
  records(id: string, ...versions: number[]): Promise<OutgoingRecord[]>;
  close(): Promise<void>;
}

export interface GatewayProcess {
  readonly port: number;
  /** Kills it with no chance to say goodbye. */
  kill(): Promise<void>;
  /** Asks it to stop, and gives its exit code. */
  stop(): Promise<number | null>;
}

export async function openLiveStage(): Promise<LiveStage> {
  const parts = await realParts();
  const database = await ownDatabase(parts.DATABASE_URL ?? '');
  const env = { ...parts, DATABASE_URL: database.url, KAFKA_TOPIC_PREFIX: `t-${randomUUID()}.`, KAFKA_SESSION_TIMEOUT_MS: '6000', LOG_LEVEL: 'silent' };
  const config = readConfig(env);
  const db = openPool(config, 'stage');
  db.on('error', () => undefined); // Tests may crash the database on purpose.
  await migrate(db);
  const log = openLog(config, 'stage');
  await awaitLeaders(config, await createTopics(config, log));
  const producer = openProducer(config, log, { sendTimeoutMs: 10_000 });
  producer.start();
  const stories = new Map<string, ReturnType<typeof storyOf>>();
  const running = new Set<ChildProcess>();
  const ports = new PortBook();

  async function records(id: string, ...versions: number[]): Promise<OutgoingRecord[]> {
    const facts = await factsFrom(db, content.name, id);
    return versions.map((version) => recordOfFact(facts[version - 1]!, JSON_FORMATS));
  }

  return {
    config, db, producer,
    async startGateway({ env: more = {}, port } = {}) {
      const at = port ?? (await ports.claim(3001));
      const script = join(await compiled(), 'workers', 'gateway.js');
      const child = fork(script, { env: { ...process.env, ...env, ...more, GATEWAY_PORT: String(at) }, stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
      running.add(child);
      await new Promise<void>((resolve, reject) => {
        child.once('message', () => resolve());
        child.once('exit', (code) => reject(new Error(`the gateway ended with ${code} before it was ready`)));
      });
      return { port: at, kill: async () => void (await end(child, 'SIGKILL')), stop: () => end(child, 'SIGTERM') };
    },
    async store(id, ...versions) {
      const tellings = tellingsOf(id, stories.get(id) ?? storyOf(id));
      for (const version of versions) await tellFacts(db, content, [tellings[version - 1]!]);
    },
    plan: (id, story) => void stories.set(id, story),
    async publish(id, ...versions) {
      for (const record of await records(id, ...versions)) await producer.send([record]);
    },
    records,
    async close() {
      await Promise.all([...running].map((child) => end(child, 'SIGKILL')));
      ports.release();
      await producer.stop();
      await db.end();
      await database.drop();
    },
  };
}

async function end(child: ChildProcess, signal: NodeJS.Signals): Promise<number | null> {
  if (child.exitCode !== null || child.signalCode !== null) return child.exitCode;
  const gone = new Promise<number | null>((resolve) => child.once('exit', resolve));
  child.kill(signal);
  return await gone;
}
