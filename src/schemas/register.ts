import type { Pool } from 'pg';
import type { Config } from '../config';
import { FazendaError } from '../errors';
import { inTransaction } from '../facts/transaction';
import { clusterName } from '../kafka/client';
import { breakOf } from './compatibility';
import { openRegistry, type SchemaRegistry } from './registry';
import { subjects, typeOf, type Subject } from './subjects';

/** What a start did about the schemas; sentences for whoever starts it. */
export interface Registration {
  /** Topics that are written in Avro from now on; all others are JSON. */
  readonly avro: readonly string[];
  readonly said: string[];
}

interface Kept { readonly topic: string; readonly id: number; readonly schema: string }

/**
 * Registers what is written in Avro, under BACKWARD, and settles how each topic is written from now on. What was
 * stored before is written as it was meant to be then.
 *
 * A topic is written in Avro once its schema has an id, which only a registry gives. The id is kept: without the
 * registry it goes on with it, and one that comes back empty is given the schemas again, in the order of their ids.
 * Where it gives other ids than before, new records bear the new ones.
 * @throws FazendaError FZ_SCHEMA_BREAKS naming the field; FZ_SCHEMA_REGISTRY_AWAY where an id is needed and it is away
 */
export async function registerSchemas(config: Config, db: Pool): Promise<Registration> {
  const now = subjects();
  const wanted = [...now.values()].filter(({ topic, preset }) => (config.KAFKA_ENCODINGS[topic] ?? preset) === 'avro');
  const { rows: kept } = await db.query<Kept>('SELECT topic, id, schema FROM avro_schemas ORDER BY id, topic');
  const keptId = ({ topic, text }: Subject): number | undefined => kept.findLast((one) => one.topic === topic && one.schema === text)?.id;
  const said: string[] = [];
  const ids = new Map<string, number>();

  try {
    const registry = config.SCHEMA_REGISTRY_URL && openRegistry(config.SCHEMA_REGISTRY_URL);
    if (registry) for (const [topic, id] of await registerAll(config, registry, wanted, kept)) ids.set(topic, id);
    else if (wanted.some((one) => keptId(one) === undefined)) said.push(`no schema registry for ${topicsOf(wanted.filter((one) => keptId(one) === undefined))}`);
  } catch (thrown) {
    const away = thrown instanceof FazendaError && thrown.code === 'FZ_SCHEMA_REGISTRY_AWAY';
    if (!away || wanted.some((one) => keptId(one) === undefined)) throw thrown;
    said.push(`the schema registry is away (${thrown.message}); the ids of before are written`);
  }

  for (const one of wanted) {
    const [before, given] = [keptId(one), ids.get(one.topic)];
    if (before !== undefined && given !== undefined && before !== given) {
      said.push(`the registry calls the schema of ${one.topic} ${given} now; records from before bear ${before}, by which it has to be restored for others to read them`);
    }
    const id = given ?? before;
    if (id !== undefined) ids.set(one.topic, id);
  }
  await settle(db, now, ids);
  return { avro: [...ids.keys()], said };
}

function topicsOf(all: readonly Subject[]): string {
  return all.map(({ topic }) => topic).join(', ');
}

/** The id of each topic's schema. What an emptied registry has forgotten is told it again first. */
async function registerAll(config: Config, registry: SchemaRegistry, wanted: readonly Subject[], kept: readonly Kept[]): Promise<Map<string, number>> {
  const subjectOf = (topic: string): string => `${clusterName(config, topic)}-value`;
  for (const { topic, id, schema } of kept) {
    if ((await registry.schemaById(id)) !== undefined) continue;
    await registry.demandBackward(subjectOf(topic));
    await registry.register(subjectOf(topic), schema);
  }
  const ids = new Map<string, number>();
  for (const { topic, type, text } of wanted) {
    const subject = subjectOf(topic);
    await registry.demandBackward(subject);
    const latest = await registry.latest(subject);
    const found = latest && breakOf(type, typeOf(latest.schema));
    if (found !== undefined) throw new FazendaError('FZ_SCHEMA_BREAKS', `${topic} (against what is registered): ${found}`);
    ids.set(topic, await registry.register(subject, text));
  }
  return ids;
}

/**
 * Keeps the ids, and writes down from which fact on a topic is written otherwise. No fact is stored meanwhile, so
 * that each is clearly before or after.
 */
async function settle(db: Pool, now: ReadonlyMap<string, Subject>, ids: ReadonlyMap<string, number>): Promise<void> {
  await inTransaction(db, async (tx) => {
    await tx.query('LOCK TABLE wire_formats IN EXCLUSIVE MODE');
    for (const [topic, id] of ids) {
      const schema = now.get(topic)?.text;
      const { rows } = await tx.query<{ schema: string }>(
        `INSERT INTO avro_schemas AS kept (topic, id, schema) VALUES ($1, $2, $3)
         ON CONFLICT (topic, id) DO UPDATE SET id = kept.id RETURNING schema`, [topic, id, schema]);
      if (rows[0]?.schema !== schema) {
        throw new FazendaError('FZ_SCHEMA_BREAKS', `the registry calls the schema of ${topic} ${id}, by which records are there of another one: restore the registry, or set SCHEMA_REGISTRY_URL=off`);
      }
    }
    const { rows: latest } = await tx.query<{ topic: string; schema_id: number | null }>(
      'SELECT DISTINCT ON (topic) topic, schema_id FROM wire_formats ORDER BY topic, from_seq DESC');
    const before = new Map(latest.map(({ topic, schema_id: id }) => [topic, id]));
    const changed = [...now.keys()].filter((topic) => (before.get(topic) ?? null) !== (ids.get(topic) ?? null));
    if (changed.length === 0) return;
    await tx.query('LOCK TABLE facts IN SHARE MODE');
    for (const topic of changed) {
      await tx.query(
        `INSERT INTO wire_formats (topic, from_seq, schema_id)
         VALUES ($1, COALESCE(pg_sequence_last_value(pg_get_serial_sequence('facts', 'seq')::regclass), 0), $2)
         ON CONFLICT (topic, from_seq) DO UPDATE SET schema_id = EXCLUDED.schema_id, since = now()`,
        [topic, ids.get(topic) ?? null],
      );
    }
  });
}
