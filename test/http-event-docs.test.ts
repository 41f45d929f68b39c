import { schemas } from '@asyncapi/specs';
import Ajv from 'ajv';
import { asyncApi } from '../src/schemas/asyncapi';
import { topicNames } from '../src/kafka/topics';
import { domains } from '../workflows/domains';
import { openApi, type TestApi } from './setup/api';
import { fakeProducer } from './setup/fake-producer';
import { PARTS_TIMEOUT_MS } from './setup/stack';

const up = async () => undefined;
let api: TestApi;
beforeAll(async () => {
  api = await openApi({ producer: fakeProducer(), checks: { kafka: up, temporal: up, postgres: up }, env: { KAFKA_ENCODINGS: 'orders.paid=avro,task.failed=json' } });
}, PARTS_TIMEOUT_MS);
afterAll(() => api.close());

interface Document {
  channels: Record<string, { messages: Record<string, { $ref: string }> }>;
  operations: Record<string, { action: string; channel: { $ref: string }; messages: { $ref: string }[] }>;
  components: { messages: Record<string, { contentType: string; payload: { required: string[] }; 'x-avro-schema': object }> };
}

test('it is AsyncAPI 3.0, as its own schema says', () => {
  // It brings the schema of schemas along, of which ajv has one already.
  const ajv = new Ajv({ strict: false, logger: false, validateFormats: false, meta: false, validateSchema: false });
  const validate = ajv.compile(JSON.parse(JSON.stringify(schemas['3.0.0'])) as object);
  validate(JSON.parse(JSON.stringify(asyncApi())));
  expect(validate.errors).toBeNull();
});

test('it has every fact and every door of every domain, and nothing that is not there', async () => {
  const { status, json } = await api.call('GET', '/docs/events');
  expect(status).toBe(200);
  const { channels, operations, components } = json as object as Document;
  for (const { topics, doors } of domains) {
    for (const [type, topic] of Object.entries(topics)) expect(channels[topic]?.messages).toHaveProperty(type);
    for (const { topic } of doors) expect(channels).toHaveProperty([topic]);
  }
  expect(topicNames().topics).toEqual(expect.arrayContaining(Object.keys(channels)));
  for (const [, reference = ''] of JSON.stringify(json).matchAll(/"\$ref":"#\/([^"]+)"/g)) {
    const found = reference.split('/').reduce<unknown>((inside, name) => (inside as Record<string, unknown> | undefined)?.[name], json);
    expect([reference, found]).not.toEqual([reference, undefined]);
  }
  expect(Object.values(operations).map(({ action }) => action)).toEqual(expect.arrayContaining(['send', 'receive']));
  expect(components.messages.TaskCreated?.payload.required).toEqual(['eventId', 'taskId', 'templateId', 'priority', 'modelType', 'timestamp', 'userId']);
});

test('it says in what each topic is written here', async () => {
  const { components: { messages } } = (await api.call('GET', '/docs/asyncapi.json')).json as object as Document;
  expect(messages.TaskCreated?.contentType).toBe('application/avro');
  expect(messages.TaskFailed?.contentType).toBe('application/json');
  expect(messages.OrderPaid?.contentType).toBe('application/avro');
  expect(messages.OrderCreated?.contentType).toBe('application/json');
});

test('browsers get a page that needs nothing but itself', async () => {
  const { headers, text } = await api.call('GET', '/docs/events', undefined, { accept: 'text/html,application/xhtml+xml,*/*;q=0.8' });
  expect(headers.get('content-type')).toBe('text/html; charset=utf-8');
  expect(text).toContain('ContentValidated');
  expect(text).not.toMatch(/(src|href)="(https?:)?\/\//);
});
