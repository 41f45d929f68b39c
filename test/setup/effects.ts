import { createHash } from 'node:crypto';
import { Client as Temporal, Connection } from '@temporalio/client';
import { Kafka, logLevel } from 'kafkajs';
import type { Pool } from 'pg';
import type { System } from './system';

/** All that work leaves behind, as it is now: of two of these that are the same, nothing has happened in between. */
export interface Traces {
  /** Records that each topic ever got. */
  readonly topics: Readonly<Record<string, number>>;
  /** Each table: how many rows, and a digest of all of them. */
  readonly tables: Readonly<Record<string, string>>;
  /** Each run that Temporal knows, with the length of its history. */
  readonly runs: readonly string[];
  readonly letters: number;
}

/** Tables that tell of the time of day, or where records lie, and not of work. */
const NO_TRACE = new Set(['agents', 'fact_places', 'fact_places_read']);

export async function tracesOf({ endpoints }: System, db: Pool): Promise<Traces> {
  const [topics, tables, runs, letters] = await Promise.all([
    recordsByTopic(endpoints.kafka), digests(db), runsOf(endpoints.temporal ?? ''),
    fetch(String(endpoints.mailbox)).then(async (answer) => ((await answer.json()) as unknown[]).length),
  ]);
  return { topics, tables, runs, letters };
}

async function recordsByTopic(brokers: string): Promise<Record<string, number>> {
  const admin = new Kafka({ clientId: 'judge', brokers: brokers.split(','), logLevel: logLevel.NOTHING }).admin();
  await admin.connect();
  try {
    const names = (await admin.listTopics()).filter((name) => !name.startsWith('__')).sort();
    const counts = await Promise.all(names.map(async (name) => (await admin.fetchTopicOffsets(name)).reduce((sum, { high }) => sum + Number(high), 0)));
    return Object.fromEntries(names.map((name, at) => [name, counts[at] ?? 0]));
  } finally {
    await admin.disconnect();
  }
}

async function digests(db: Pool): Promise<Record<string, string>> {
  const { rows } = await db.query<{ name: string }>(`SELECT table_name AS name FROM information_schema.tables WHERE table_schema = 'public' ORDER BY 1`);
  const found: Record<string, string> = {};
  for (const { name } of rows.filter((row) => !NO_TRACE.has(row.name))) {
    const { rows: all } = await db.query<{ row: string }>(`SELECT t::text AS row FROM ${name} t ORDER BY 1`);
    found[name] = `${all.length} ${createHash('sha256').update(all.map(({ row }) => row).join('\n')).digest('hex')}`;
  }
  return found;
}

async function runsOf(address: string): Promise<string[]> {
  const connection = await Connection.connect({ address });
  const runs: string[] = [];
  for await (const run of new Temporal({ connection }).workflow.list()) runs.push(`${run.workflowId} ${run.runId} ${run.status.name} ${run.historyLength}`);
  await connection.close();
  return runs.sort();
}
