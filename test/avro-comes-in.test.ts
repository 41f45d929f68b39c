import { randomUUID } from 'node:crypto';
import { Type } from 'avsc';
import { factsFrom } from '../src/facts/read';
import { registerSchemas } from '../src/schemas/register';
import { startFakeRegistry, type FakeRegistry } from './setup/fake-registry';
import { openTestIngress, type TestIngress } from './setup/ingress';
import { rawRecordsOn } from './setup/raw-records';
import { PARTS_TIMEOUT_MS } from './setup/stack';
import { until } from './setup/until';

/** Partners write `task.created` in Avro, each by a schema of their own; the registry says which. */

let registry: FakeRegistry;
let ingress: TestIngress;
beforeAll(async () => {
  registry = await startFakeRegistry();
  ingress = await openTestIngress(async () => ({ SCHEMA_REGISTRY_URL: registry.url }));
  await registerSchemas(ingress.config, ingress.db);
  await ingress.start();
}, PARTS_TIMEOUT_MS);
afterAll(async () => {
  await ingress.close();
  await registry.close();
});

type Schema = { type: 'record'; name: string; namespace?: string; fields: { name: string; type: Parameters<typeof Type.forSchema>[0]; default?: unknown }[] };
const TEXT = ['eventId', 'taskId', 'templateId', 'priority', 'modelType'] as const;
const SEED: Schema = {
  type: 'record', name: 'TaskCreated', namespace: 'com.contentfarm.events',
  fields: [...TEXT.map((name) => ({ name, type: 'string' as const })), { name: 'timestamp', type: 'long' }, { name: 'userId', type: 'string' }],
};
const data = (taskId: string) => ({
  eventId: `event-of-${taskId}`, taskId, templateId: '00000000-0000-4000-8000-000000000001', priority: 'normal', modelType: 'local', timestamp: 1_700_000_000_123, userId: 'partner',
});

function wire(id: number, schema: Schema, value: object): Buffer {
  const prefix = Buffer.alloc(5);
  prefix.writeUInt32BE(id, 1);
  return Buffer.concat([prefix, Type.forSchema(schema as Parameters<typeof Type.forSchema>[0]).toBuffer(value)]);
}

/** Writes by a schema that is registered for it, and gives fact 1 as it was stored. */
async function taken(schema: Schema, value: object, taskId: string): Promise<object | undefined> {
  await ingress.write('task.created', [{ key: taskId, value: wire(registry.add(`partner.${randomUUID()}`, schema), schema, value) }]);
  await ingress.caughtUp();
  return (await factsFrom(ingress.db, 'content', taskId))[0]?.data;
}

const dead = async (taskId: string) => (await rawRecordsOn(ingress.config, 'task.created.dlq')).filter(({ key }) => String(key) === taskId);

test('by the seed’s own schema', async () => {
  const id = randomUUID();
  expect(await taken(SEED, data(id), id)).toEqual(data(id));
});

test('with variables, whose values are JSON texts', async () => {
  const id = randomUUID();
  const schema: Schema = { ...SEED, fields: [...SEED.fields, { name: 'variables', type: ['null', { type: 'map', values: 'string' }], default: null }] };
  const variables = { product: '"coffee"', drafts: '["one",{"error":"slow","times":2}]', none: 'null' };
  expect(await taken(schema, { ...data(id), variables }, id)).toEqual({ ...data(id), variables: { product: 'coffee', drafts: ['one', { error: 'slow', times: 2 }], none: null } });
});

test('by any schema that Avro’s rules make a TaskCreated of: other order, more fields, a narrower number, no namespace', async () => {
  const id = randomUUID();
  const schema: Schema = {
    type: 'record', name: 'TaskCreated',
    fields: [{ name: 'tenant', type: 'string' }, ...SEED.fields.toReversed().map((field) => (field.name === 'timestamp' ? { ...field, type: 'int' as const } : field))],
  };
  expect(await taken(schema, { ...data(id), timestamp: 1_000, tenant: 'north' }, id)).toEqual({ ...data(id), timestamp: 1_000 });
});

describe('what is the record’s own fault is a dead letter, with its bytes', () => {
  const lacking: Schema = { ...SEED, fields: SEED.fields.filter(({ name }) => name !== 'userId') };
  const strange: Schema = { type: 'record', name: 'Invoice', fields: [{ name: 'taskId', type: 'string' }] };
  const withTexts: Schema = { ...SEED, fields: [...SEED.fields, { name: 'variables', type: { type: 'map', values: 'string' } }] };
  test.each<[string, (id: string) => Buffer, RegExp]>([
    ['an id that the registry does not know', (id) => wire(4_000_000_000, SEED, data(id)), /no Avro schema of this id/],
    ['a schema that lacks a field', (id) => wire(registry.add('a', lacking), lacking, data(id)), /userId/],
    ['a schema of something else', (id) => wire(registry.add('b', strange), strange, { taskId: id }), /nothing that task\.created carries/],
    ['bytes that end too early', (id) => wire(registry.add('c', SEED), SEED, data(id)).subarray(0, -1), /end too early/],
    ['bytes that are left over', (id) => Buffer.concat([wire(registry.add('c', SEED), SEED, data(id)), Buffer.from([0])]), /left over/],
    ['a variable that is no JSON text', (id) => wire(registry.add('d', withTexts), withTexts, { ...data(id), variables: { product: 'coffee' } }), /JSON/],
    ['not even an id', () => Buffer.from([0, 0, 0]), /within the id/],
  ])('%s', async (_what, make, said) => {
    const id = randomUUID();
    const value = make(id);
    await ingress.write('task.created', [{ key: id, value }]);
    await ingress.caughtUp();
    const [letter, ...more] = await dead(id);
    expect(more).toEqual([]);
    expect(letter?.value).toEqual(value);
    expect([String(letter?.headers.dlq_error_code), String(letter?.headers.dlq_reason)]).toEqual(['FZ_RECORD_UNDECODABLE', expect.stringMatching(said)]);
  });
});

test('while the registry is away, a record by a schema that is not known yet waits; one by ours goes on', async () => {
  const [theirs, ours] = [randomUUID(), randomUUID()];
  const { rows } = await ingress.db.query<{ id: number; schema: string }>("SELECT id, schema FROM avro_schemas WHERE topic = 'task.created'");
  const own = rows[0]!;
  const schema: Schema = { ...SEED, fields: [...SEED.fields, { name: 'note', type: 'string' }] };
  const id = registry.add('later', schema);
  const before = ingress.troubles();
  registry.away = true;
  await ingress.write('task.created', [{ key: ours, value: wire(own.id, JSON.parse(own.schema) as Schema, data(ours)) }], 1);
  await ingress.caughtUp();
  expect((await factsFrom(ingress.db, 'content', ours))[0]?.data).toEqual(data(ours));

  await ingress.write('task.created', [{ key: theirs, value: wire(id, schema, { ...data(theirs), note: 'n' }) }], 2);
  await until(() => ingress.troubles() > before, 'the chunk waits');
  expect(await factsFrom(ingress.db, 'content', theirs)).toEqual([]);
  registry.away = false;
  await ingress.caughtUp();
  expect((await factsFrom(ingress.db, 'content', theirs))[0]?.data).toEqual(data(theirs));
  expect(await dead(theirs)).toEqual([]);
});
