import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Pool } from 'pg';
import { entities } from '../src/entities';
import { FACT_COLUMNS, storedFact } from '../src/facts/read';
import { tellFacts } from '../src/facts/tell';
import { migrate } from '../src/facts/migrate';
import { openPool } from '../src/facts/postgres';
import { readConfig } from '../src/config';
import { openItems } from '../src/items/store';
import { recordOfFact } from '../src/relay/publish';
import { JSON_FORMATS } from '../src/schemas/wire';
import { content } from '../workflows/content/definition';
import { domains } from '../workflows/domains';
import { ownDatabase } from './setup/database';
import { PARTS_TIMEOUT_MS, realParts } from './setup/stack';
import { storyOf, tellingsOf } from './setup/story';

/**
 * The rules of Debezium's outbox event router, as its documentation and its EventRouterDelegate have them, applied to
 * the table as it stands by the connector that docs/debezium-outbox.json describes.
 * https://debezium.io/documentation/reference/stable/transformations/outbox-event-router.html
 */
const { config } = JSON.parse(readFileSync(join(__dirname, '..', 'docs', 'debezium-outbox.json'), 'utf8')) as { config: Record<string, string> };
const option = (name: string): string => config[`transforms.outbox.${name}`] ?? '';

/** How the PostgreSQL connector shows a column's type. https://debezium.io/documentation/reference/stable/connectors/postgresql.html#postgresql-data-types */
const CONNECT_TYPES: Readonly<Record<string, string>> = {
  text: 'STRING', uuid: 'STRING', json: 'STRING', int4: 'INT32', int8: 'INT64', int2: 'INT16', timestamptz: 'STRING',
};
/** The router refuses to read an event's time from anything but these; so it is not read, and the record gets its own. */
const TIMESTAMPS = ['INT64'];

let db: Pool;
let drop: () => Promise<void>;
let types: Map<string, string | undefined>;
beforeAll(async () => {
  const database = await ownDatabase((await realParts()).DATABASE_URL ?? '');
  drop = database.drop;
  db = openPool(readConfig({ DATABASE_URL: database.url }), 'test');
  await migrate(db);
  const { rows } = await db.query<{ name: string; type: string }>(
    "SELECT column_name AS name, udt_name AS type FROM information_schema.columns WHERE table_name = 'facts'");
  types = new Map(rows.map(({ name, type }) => [name, CONNECT_TYPES[type]]));
}, PARTS_TIMEOUT_MS);
afterAll(async () => {
  await db.end();
  await drop();
});

type Row = Readonly<Record<string, string | null>>;
interface Routed { topic: string; key: string; value: string; headers: Record<string, string | null> }

const placements = () => option('table.fields.additional.placement').split(',').map((one) => one.split(':'));

/** What the router makes of an inserted row, and the InsertHeader transformations behind it. */
function routed(row: Row): Routed {
  const topic = (row[option('route.by.field')] ?? '')
    .replace(new RegExp(`^${option('route.topic.regex')}$`), option('route.topic.replacement').replace('${routedByValue}', '$<routedByValue>'));
  const headers: Routed['headers'] = { id: row[option('table.field.event.id')] ?? '' };
  for (const [column = '', placement, alias = column] of placements()) {
    expect([column, placement]).toEqual([column, 'header']); // An envelope would wrap the payload.
    headers[alias] = row[column] ?? null;
  }
  for (const name of config.transforms?.split(',').slice(1) ?? []) {
    const at = (what: string) => config[`transforms.${name}.${what}`] ?? '';
    expect(at('type')).toBe('org.apache.kafka.connect.transforms.InsertHeader');
    const predicate = at('predicate');
    if (predicate && !new RegExp(`^(?:${config[`predicates.${predicate}.pattern`]})$`).test(topic)) continue;
    expect(headers).not.toHaveProperty([at('header')]); // InsertHeader adds; a second one would be a second value.
    headers[at('header')] = at('value.literal');
  }
  return { topic, key: row[option('table.field.event.key')] ?? '', value: row[option('table.field.event.payload')] ?? '', headers };
}

test('every column that it needs is there, in a type that it takes', () => {
  const needed = ['table.field.event.id', 'table.field.event.key', 'table.field.event.payload', 'route.by.field'].map(option);
  for (const column of [...needed, ...placements().map(([column = '']) => column)]) expect([column, types.get(column)]).toEqual([column, expect.any(String)]);
  // Topic and key are read as strings, and only a string that is not expanded reaches a record byte for byte.
  for (const column of needed) expect([column, types.get(column)]).toEqual([column, 'STRING']);
  expect(option('table.expand.json.payload')).toBe('false');
  expect(option('table.field.event.timestamp')).toBe('');
  expect(TIMESTAMPS).not.toContain(types.get('at'));
});

test('each fact comes out on its topic, by its key, with the same bytes and every header that the relay writes', async () => {
  const ids = [randomUUID(), randomUUID()] as const;
  for (const telling of tellingsOf(ids[0], storyOf(ids[0]))) await tellFacts(db, content, [telling]);
  // One that came in by its own topic, and is not written there again.
  await tellFacts(db, content, tellingsOf(ids[1], storyOf(ids[1]).slice(0, 1)).map((telling) => ({ ...telling, origin: 'task.created/3/14' })));
  const items = openItems(db, true, () => undefined);
  const call = { userId: 'ana', correlationId: 'trace-1', traceparent: `00-${'1'.repeat(32)}-${'2'.repeat(16)}-01` };
  const { id } = await items.create(randomUUID(), { name: '“x”\\', sku: 's' }, call);
  await items.update(id, { name: '日本' }, call);
  await items.remove(id, call);

  // What logical decoding lets through: the publication's own condition, on inserts.
  await db.query("CREATE PUBLICATION fazenda_outbox FOR TABLE facts WHERE (origin IS NULL) WITH (publish = 'insert')");
  const { rows: [published] } = await db.query<{ rowfilter: string }>("SELECT rowfilter FROM pg_publication_tables WHERE pubname = 'fazenda_outbox'");
  const { rows } = await db.query<Row & { at: string }>(
    `SELECT ${[...types.keys()].map((column) => `${column}::text AS ${column}`).join(', ')} FROM facts WHERE ${published?.rowfilter} ORDER BY facts.seq`);
  const facts = (await db.query<Parameters<typeof storedFact>[0]>(`SELECT ${FACT_COLUMNS} FROM facts WHERE origin IS NULL ORDER BY facts.seq`)).rows.map(storedFact);
  expect(facts.length).toBe(storyOf(ids[0]).length + 3);

  facts.forEach((fact, index) => {
    const ours = recordOfFact(fact, JSON_FORMATS);
    const theirs = routed(rows[index]!);
    expect({ topic: theirs.topic, key: theirs.key, value: theirs.value }).toEqual({ topic: ours.topic, key: ours.key, value: String(ours.value) });
    expect(theirs.headers.id).toBe(fact.ceId);
    for (const [name, value] of Object.entries(ours.headers)) {
      const instant = ['ce_time', 'timestamp'].includes(name);
      expect([name, instant ? new Date(theirs.headers[name] ?? '').toISOString() : theirs.headers[name]]).toEqual([name, value]);
    }
  });
});

test('every topic of a fact has the source of its owner', () => {
  for (const { name, topics } of [...domains, ...entities]) {
    for (const [type, topic] of Object.entries(topics)) expect([type, routed({ topic }).headers.ce_source]).toEqual([type, `/fazenda/${name}`]);
  }
});
