import { randomUUID } from 'node:crypto';
import type { Pool } from 'pg';
import { readConfig, type Config } from '../src/config';
import { migrate } from '../src/facts/migrate';
import { openPool } from '../src/facts/postgres';
import { SHARDS } from '../src/facts/schema';
import { tellFacts } from '../src/facts/tell';
import { openCodec } from '../src/kafka/codec';
import type { OutgoingRecord } from '../src/kafka/port';
import { publishPending } from '../src/relay/publish';
import { registerSchemas } from '../src/schemas/register';
import { content } from '../workflows/content/definition';
import { ownDatabase } from './setup/database';
import { startFakeRegistry, type FakeRegistry } from './setup/fake-registry';
import { fakeProducer } from './setup/fake-producer';
import { PARTS_TIMEOUT_MS, realParts } from './setup/stack';
import { storyOf, tellingsOf } from './setup/story';

/** A fact is the same bytes for ever: whether a registry comes, goes, forgets or counts anew, and whatever the settings say. */

const EVERY_SHARD = Array.from({ length: SHARDS }, (_, shard) => shard);
const AVRO_TOPICS = 9;
let registry: FakeRegistry;
let url: string;
let db: Pool;
let drop: () => Promise<void>;
beforeAll(async () => void (await realParts()), PARTS_TIMEOUT_MS);
beforeEach(async () => {
  registry = await startFakeRegistry();
  const database = await ownDatabase((await realParts()).DATABASE_URL ?? '');
  ({ url, drop } = database);
  db = openPool(configWith(), 'test', 5);
  await migrate(db);
});
afterEach(async () => {
  await db.end();
  await drop();
  await registry.close();
});

function configWith(env: Record<string, string> = {}): Config {
  return readConfig({ DATABASE_URL: url, LOG_LEVEL: 'silent', ...env });
}
const withRegistry = (env: Record<string, string> = {}) => configWith({ SCHEMA_REGISTRY_URL: registry.url, ...env });

async function tell(id = randomUUID()): Promise<string> {
  for (const telling of tellingsOf(id, storyOf(id))) await tellFacts(db, content, [telling]);
  return id;
}

/** Every fact as the relay writes it now, by its id. */
async function written(): Promise<Map<string, OutgoingRecord>> {
  const producer = fakeProducer();
  await db.query('UPDATE facts SET published_at = NULL');
  while ((await publishPending(db, producer, EVERY_SHARD)) > 0);
  return new Map(producer.given.map((record) => [String(record.headers.ce_id), record]));
}
const factOf = async (id: string, type: string) => [...(await written()).values()].find((one) => one.key === id && one.headers.ce_type === type)!;
const schemaId = ({ value }: OutgoingRecord) => (value?.[0] === 0 ? value.readUInt32BE(1) : 'json');

/** What was written before is written so again, whatever was done. */
async function unchangedBy(change: () => Promise<unknown>): Promise<void> {
  const before = await written();
  await change();
  const after = await written();
  for (const [ceId, record] of before) expect(after.get(ceId)).toEqual(record);
}

test('without a registry all is JSON, and the start says so', async () => {
  const { avro, said } = await registerSchemas(configWith(), db);
  expect(avro).toEqual([]);
  expect(said.join()).toMatch(/no schema registry for task\.created, .*task\.cancel$/);
  const { value, headers } = await factOf(await tell(), 'TaskAssigned');
  expect([value?.[0], headers['content-type']]).toEqual(['{'.charCodeAt(0), 'application/json']);
});

test('with one, content topics are Avro from the next fact on, under BACKWARD, and what is read is what was told', async () => {
  await registerSchemas(configWith(), db);
  await tell();
  await unchangedBy(() => registerSchemas(withRegistry(), db));
  expect(registry.backward.size).toBe(AVRO_TOPICS);
  const id = await tell();
  const codec = openCodec(withRegistry(), db);
  for (const { type, data } of storyOf(id)) {
    const record = await factOf(id, type);
    expect(schemaId(record)).not.toBe('json');
    expect(record.headers['content-type']).toBe('application/avro');
    // The event id is of the teller's making; all else is the story's.
    expect({ ...((await codec.read(record.topic, record.value)) as object), eventId: '' }).toEqual({ ...data, eventId: '' });
  }
});

test('a topic that is switched by setting changes for the facts that follow', async () => {
  await registerSchemas(withRegistry(), db);
  const before = await tell();
  await unchangedBy(() => registerSchemas(withRegistry({ KAFKA_ENCODINGS: 'task.assigned=json,orders.paid=avro' }), db));
  expect(schemaId(await factOf(before, 'TaskAssigned'))).not.toBe('json');
  expect(schemaId(await factOf(await tell(), 'TaskAssigned'))).toBe('json');
  expect([...registry.schemas.values()].join()).toContain('OrderPaid');
});

test('a registry that was emptied is given the schemas again, under the ids of before', async () => {
  await registerSchemas(withRegistry(), db);
  await tell();
  const ids = new Map(registry.schemas);
  await unchangedBy(() => {
    registry.empty();
    return registerSchemas(withRegistry(), db);
  });
  expect(registry.schemas).toEqual(ids);
});

test('where it gives other ids than before, new facts bear the new ones, and the start says so', async () => {
  await registerSchemas(withRegistry(), db);
  const before = await tell();
  const old = schemaId(await factOf(before, 'TaskAssigned'));
  let said: readonly string[] = [];
  await unchangedBy(async () => {
    registry.empty(100);
    ({ said } = await registerSchemas(withRegistry(), db));
  });
  expect(said.join()).toContain(`records from before bear ${old}`);
  expect(schemaId(await factOf(await tell(), 'TaskAssigned'))).toBeGreaterThan(100);
  expect(schemaId(await factOf(before, 'TaskAssigned'))).toBe(old);
  // Both are still read here.
  const codec = openCodec(withRegistry(), db);
  for (const record of (await written()).values()) await codec.read(record.topic, record.value);
});

test('one that is away is done without once the ids are known, and waited for before', async () => {
  registry.away = true;
  await expect(registerSchemas(withRegistry(), db)).rejects.toMatchObject({ code: 'FZ_SCHEMA_REGISTRY_AWAY' });
  registry.away = false;
  await registerSchemas(withRegistry(), db);
  await tell();
  registry.away = true;
  await unchangedBy(async () => expect((await registerSchemas(withRegistry(), db)).said.join()).toMatch(/registry is away/));
  await unchangedBy(() => registerSchemas(configWith({ SCHEMA_REGISTRY_URL: 'off' }), db));
  const record = await factOf(await tell(), 'TaskAssigned');
  expect(schemaId(record)).not.toBe('json');
  await expect(openCodec(withRegistry(), db).read(record.topic, record.value)).resolves.toMatchObject({ agentId: 'agent-1' });
});

test('what somebody else registered there and ours cannot read stops the start, with the field named', async () => {
  registry.add('task.created-value', { type: 'record', name: 'TaskCreated', fields: [{ name: 'eventId', type: 'string' }, { name: 'taskId', type: 'long' }] });
  await expect(registerSchemas(withRegistry(), db)).rejects.toMatchObject({ code: 'FZ_SCHEMA_BREAKS', message: expect.stringContaining('TaskCreated.taskId was long and is string') as string });
});

test('topics that are switched while facts are told and sent give no fact two tellings', async () => {
  await registerSchemas(withRegistry(), db);
  // From where on a topic is written otherwise is decided, and takes its time to be seen: nothing may slip in between.
  await db.query(`
    CREATE FUNCTION slowly() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(0.05); RETURN NEW; END $$;
    CREATE TRIGGER slowly BEFORE INSERT ON wire_formats FOR EACH ROW EXECUTE FUNCTION slowly()`);
  const producer = fakeProducer();
  let over = false;
  const telling = Promise.all(Array.from({ length: 3 }, async () => {
    while (!over) await tell();
  }));
  const sending = (async () => {
    while (!over) {
      await publishPending(db, producer, EVERY_SHARD);
      // As if every acknowledgement were lost now and then.
      if (Math.random() < 0.3) await db.query('UPDATE facts SET published_at = NULL');
    }
  })();
  for (let round = 0; round < 8; round += 1) {
    const encodings = content.topics.TaskAssigned + (round % 2 === 0 ? '=json' : '=avro');
    await registerSchemas(withRegistry({ KAFKA_ENCODINGS: encodings }), db);
  }
  over = true;
  await Promise.all([telling, sending]);

  const bytes = new Map<string, Set<string>>();
  for (const { headers, value } of producer.given) {
    const ceId = String(headers.ce_id);
    bytes.set(ceId, (bytes.get(ceId) ?? new Set()).add(value?.toString('hex') ?? ''));
  }
  expect([...bytes.values()].filter((tellings) => tellings.size > 1)).toEqual([]);
  const formats = new Set(producer.given.filter(({ topic }) => topic === 'task.assigned').map(schemaId));
  expect(formats.size).toBe(2);
}, 60_000);
