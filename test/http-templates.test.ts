import { READY_TEMPLATES } from '../workflows/content/templates';
import { openApi, type TestApi } from './setup/api';
import { PARTS_TIMEOUT_MS } from './setup/stack';

let api: TestApi;
beforeAll(async () => (api = await openApi({ topics: false })), PARTS_TIMEOUT_MS);
afterAll(() => api.close());

const TEMPLATE = {
  name: 'a post', prompt: 'Write on {{topic}} — “kindly” 😀',
  rules: [{ name: 'long enough', fact: 'words', operator: 'greaterThan', value: 10 }, { name: 'in English', fact: 'language', operator: 'in', value: ['en'] }],
};
const post = (body: unknown) => api.call('POST', '/templates', body);

test('a template that is added can be read, alone and in the list, as it was given', async () => {
  const added = await post(TEMPLATE);
  expect(added.status).toBe(201);
  expect(added.json).toEqual({ id: expect.stringMatching(/^[0-9a-f-]{36}$/) as string, ...TEMPLATE });
  expect(added.headers.get('location')).toBe(`/templates/${String(added.json.id)}`);
  expect((await api.call('GET', `/templates/${String(added.json.id)}`)).json).toEqual(added.json);
  expect((await api.call('GET', '/templates?limit=1')).json.items).toEqual([added.json]);
});

test('the ready ones have their fixed ids, and pages hold each template once', async () => {
  const seen: unknown[] = [];
  for (let cursor: unknown = ''; cursor !== null; ) {
    const { json } = await api.call('GET', `/templates?limit=1&cursor=${String(cursor)}`);
    seen.push(...(json.items as { id: string }[]).map(({ id }) => id));
    cursor = json.nextCursor;
  }
  expect(new Set(seen).size).toBe(seen.length);
  expect(seen).toEqual(expect.arrayContaining(READY_TEMPLATES.map(({ id }) => id)));
});

test.each([
  ['no name', { ...TEMPLATE, name: '' }, 'name'],
  ['no rules', { ...TEMPLATE, rules: undefined }, 'rules'],
  ['a fact that is not measured', { ...TEMPLATE, rules: [{ ...TEMPLATE.rules[0], fact: 'mood' }] }, 'rules.0.fact'],
  ['an unknown operator', { ...TEMPLATE, rules: [{ ...TEMPLATE.rules[0], operator: 'like' }] }, 'rules.0.operator'],
  ['a list where a number belongs', { ...TEMPLATE, rules: [{ ...TEMPLATE.rules[0], value: [1] }] }, 'rules.0.value'],
])('%s: 422 naming the field, and nothing is added', async (_what, body, path) => {
  const before = (await api.call('GET', '/templates?limit=100')).text;
  const { status, json } = await post(body);
  expect([status, json.code]).toEqual([422, 'FZ_SCHEMA_INVALID']);
  expect((json.errors as { path: string }[]).map((error) => error.path)).toContain(path);
  expect((await api.call('GET', '/templates?limit=100')).text).toBe(before);
});
