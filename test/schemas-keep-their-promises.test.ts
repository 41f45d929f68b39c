import fc from 'fast-check';
import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { checkBounds } from '../src/schemas/bounds';
import { isCatalogueStale } from '../src/schemas/catalogue';
import { eventContracts } from '../src/schemas/contracts';
import { checkPublished, publishedSchemas, publishSchemas, schemaFolder } from '../src/schemas/files';
import { shapeOf, type Shape } from '../src/schemas/shape';
import { subjects, typeOf } from '../src/schemas/subjects';

/** What a record says is promised for as long as the topics keep it: derived once, published, and never broken. */

const now = subjects();
const topicOf = (name: string) => eventContracts().find((one) => one.name === name)!.topic;
const subject = (topic: string) => now.get(topic)!;

/** S0's own, to the letter. */
const SEED = {
  type: 'record', name: 'TaskCreated', namespace: 'com.contentfarm.events',
  fields: [
    { name: 'eventId', type: 'string' }, { name: 'taskId', type: 'string' }, { name: 'templateId', type: 'string' }, { name: 'priority', type: 'string' },
    { name: 'modelType', type: 'string' }, { name: 'timestamp', type: 'long' }, { name: 'userId', type: 'string' },
  ],
};

describe('S0’s TaskCreated', () => {
  test('is kept as it is, plus only fields that have a default', () => {
    const { fields, ...rest } = JSON.parse(subject('task.created').text) as typeof SEED;
    expect({ ...rest, fields: fields.slice(0, 7) }).toEqual(SEED);
    expect(fields.slice(7)).toEqual([{ name: 'variables', type: ['null', { type: 'map', values: 'string' }], default: null }]);
  });

  test('begins with the same bytes as a producer of the seed writes', () => {
    const data = { eventId: 'e', taskId: 't', templateId: 'v', priority: 'high', modelType: 'local', timestamp: 1_700_000_000_123, userId: 'u' };
    const theirs = typeOf(JSON.stringify(SEED)).toBuffer(data);
    expect(subject('task.created').type.toBuffer(subject('task.created').toAvro('TaskCreated', data))).toEqual(Buffer.concat([theirs, Buffer.from([0])]));
  });
});

describe('published schemas', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'fazenda-schemas-'));
    cpSync(schemaFolder(), folder, { recursive: true });
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  test('are those of the contracts, and so is the catalogue; else run npx fazenda schemas --write', () => {
    expect(checkPublished()).toEqual([]);
    expect(isCatalogueStale()).toBe(false);
  });

  type Record = { fields: { name: string; type: unknown; default?: unknown }[] };
  /** What was published once, and how the contract of today breaks it. */
  const BREAKS: [what: string, topic: string, before: (schema: Record) => void, said: RegExp][] = [
    ['a type that is another', 'task.created', ({ fields }) => void (fields[5]!.type = 'string'), /task\.created .*TaskCreated\.timestamp was string and is long/],
    ['a new field without a default', 'task.failed', ({ fields }) => void fields.splice(1, 1), /TaskFailed\.reason is new and has no default/],
    ['a field of a record within', 'content.generated', ({ fields }) => void (fields[5]!.type = { type: 'record', name: 'ModelUsage', fields: [{ name: 'inputTokens', type: ['null', 'string'], default: null }] }), /ContentGenerated\.usage\.inputTokens was null or string and is null or long/],
    ['a field of a record in a list', 'orders.created', ({ fields }) => void (fields[4]!.type = { type: 'array', items: { type: 'record', name: 'OrderItem', fields: [{ name: 'productId', type: 'string' }] } }), /OrderCreated\.items\[\]\.quantity is new and has no default/],
    ['the values of a map', 'task.created', ({ fields }) => void (fields[7]!.type = ['null', { type: 'map', values: 'long' }]), /TaskCreated\.variables\{\} was long and is string/],
    ['null that was allowed', 'task.assigned', ({ fields }) => void (fields[2]!.type = ['null', 'string']), /TaskAssigned\.agentId was null or string and is string/],
  ];

  test.each(BREAKS)('a change that breaks what was written is refused with the field named: %s', (_what, topic, before, said) => {
    const schema = JSON.parse(publishedSchemas(folder).get(topic)!.at(-1)!.text) as Record;
    before(schema);
    // Not only the last one counts: the topics keep what earlier ones wrote.
    writeFileSync(join(folder, `${topic}-value.v0.avsc`), JSON.stringify(schema));
    expect(() => checkPublished(now, folder)).toThrow(expect.objectContaining({ code: 'FZ_SCHEMA_BREAKS', message: expect.stringMatching(said) as string }));
    expect(() => publishSchemas(now, folder)).toThrow(/./);
  });

  test('a change that older records can be read by is a version of its own', () => {
    const [latest] = publishedSchemas(folder).get('task.created')!;
    writeFileSync(join(folder, 'task.created-value.v1.avsc'), JSON.stringify(SEED));
    expect(checkPublished(now, folder)).toEqual(['task.created']);
    expect(publishSchemas(now, folder)).toEqual([join(folder, 'task.created-value.v2.avsc')]);
    expect(publishedSchemas(folder).get('task.created')!.map(({ version }) => version)).toEqual([1, 2]);
    expect(publishedSchemas(folder).get('task.created')!.at(-1)!.text).toEqual(latest!.text);
    expect(checkPublished(now, folder)).toEqual([]);
  });
});

describe('there and back again', () => {
  test.each(eventContracts().map(({ name }) => name))('%s is the same document, key for key', (name) => {
    const { topic, type, schema } = eventContracts().find((one) => one.name === name)!;
    const { toAvro, fromAvro, type: avro } = subject(topic);
    fc.assert(fc.property(documentOf(shapeOf(name, schema)), (data) => {
      const bytes = avro.toBuffer(toAvro(type, data));
      checkBounds(avro, bytes);
      const back = fromAvro(avro.fromBuffer(bytes));
      expect(JSON.stringify(back)).toBe(JSON.stringify(data));
    }));
  });

  test.each([2 ** 52, -(2 ** 52) - 1, Number.MAX_SAFE_INTEGER, Number.MIN_SAFE_INTEGER])('a number that Avro would not bring back is refused: %s', (bytes) => {
    expect(() => subject('content.stored').toAvro('ContentStored', { taskId: 't', uri: 'u', sha256: 's', bytes })).toThrow(RangeError);
  });

  test('no two kinds of record have one name', () => {
    const names = eventContracts().map(({ name }) => name);
    expect(new Set(names).size).toBe(names.length);
    expect(topicOf('CancelTask')).toBe('task.cancel');
  });
});

/** Bytes of a partner, or of nobody: whatever they claim, they are told from a record at once. */
test('bytes that are no datum are found out before anything is made of them', () => {
  const { type, toAvro } = subject('validation.failed');
  const whole = type.toBuffer(toAvro('ValidationFailed', { taskId: 't', attempt: 1, failures: [{ rule: 'r', fact: 'f', operator: 'o', expected: { a: [1] }, measured: 'm' }] }));
  const longClaim = Buffer.concat([whole.subarray(0, 3), Buffer.from([0xfe, 0xff, 0xff, 0xff, 0xff, 0x7f])]);
  for (const bytes of [whole.subarray(0, -1), Buffer.concat([whole, Buffer.from([0])]), Buffer.alloc(0), longClaim, Buffer.alloc(20, 0xff)]) {
    expect(() => checkBounds(type, bytes)).toThrow(RangeError);
  }
  fc.assert(fc.property(fc.nat(whole.length - 1), fc.nat(255), (at, byte) => {
    const changed = Buffer.from(whole);
    changed[at] = byte;
    let fits = true;
    try {
      checkBounds(type, changed);
    } catch (thrown) {
      expect(thrown).toBeInstanceOf(RangeError);
      fits = false;
    }
    if (fits) expect(() => type.fromBuffer(changed)).not.toThrow();
  }), { numRuns: 2_000 });
});

/** Any document of a shape, its keys in the order of the contract. */
function documentOf(shape: Shape): fc.Arbitrary<unknown> {
  const text = fc.string({ unit: 'grapheme', maxLength: 20 });
  switch (shape.kind) {
    case 'string':
      return text;
    case 'boolean':
      return fc.boolean();
    case 'long':
      return fc.integer({ min: -(2 ** 52) + 1, max: 2 ** 52 - 1 });
    case 'double':
      return fc.double({ noNaN: true, noDefaultInfinity: true }).map((value) => (Object.is(value, -0) ? 0 : value));
    case 'json':
      return fc.jsonValue();
    case 'array':
      return fc.array(documentOf(shape.items), { maxLength: 5 });
    case 'map':
      return fc.dictionary(text.filter((key) => key !== '__proto__'), documentOf(shape.values), { maxKeys: 5, noNullPrototype: true });
    case 'record':
      return fc.tuple(...shape.fields.map((field) => {
        const held = field.nullable && !field.optional ? fc.option(documentOf(field.shape), { nil: null }) : documentOf(field.shape);
        return (field.optional ? fc.option(held, { nil: undefined }) : held).map((value): [string, unknown] => [field.name, value]);
      })).map((pairs) => Object.fromEntries(pairs.filter(([, value]) => value !== undefined)));
  }
}
