import { createConnection } from 'node:net';
import { gzipSync } from 'node:zlib';
import { BODY_BYTES_MAX } from '../src/api/body';
import { openApi, type TestApi } from './setup/api';
import { PARTS_TIMEOUT_MS } from './setup/stack';

let api: TestApi;
beforeAll(async () => (api = await openApi({ topics: false })), PARTS_TIMEOUT_MS);
afterAll(() => api.close());

const PATH = '/commands/create-task';
const JSON_TYPE = { 'content-type': 'application/json' };
const nested = (levels: number) => '['.repeat(levels) + ']'.repeat(levels);

describe('a request that is wrong gets its own code, whatever is wrong with it', () => {
  test.each([
    ['no JSON', 400, 'FZ_BODY_NOT_JSON', '{"a":', JSON_TYPE],
    ['nothing at all', 400, 'FZ_BODY_NOT_JSON', '', JSON_TYPE],
    ['no UTF-8', 400, 'FZ_BODY_NOT_JSON', new Uint8Array([0x22, 0xc3, 0x28, 0x22]), JSON_TYPE],
    ['nesting of 33 levels', 400, 'FZ_BODY_TOO_DEEP', nested(33), JSON_TYPE],
    ['nesting of 100,000 levels', 400, 'FZ_BODY_TOO_DEEP', nested(100_000), JSON_TYPE],
    ['nesting of 32 levels, which is allowed, but no task', 422, 'FZ_SCHEMA_INVALID', nested(32), JSON_TYPE],
    ['more than 256 KiB', 413, 'FZ_BODY_TOO_LARGE', `"${'x'.repeat(BODY_BYTES_MAX - 1)}"`, JSON_TYPE],
    ['exactly 256 KiB, which is allowed, but no task', 422, 'FZ_SCHEMA_INVALID', `"${'x'.repeat(BODY_BYTES_MAX - 2)}"`, JSON_TYPE],
    ['256 KiB in disguise', 413, 'FZ_BODY_TOO_LARGE', gzipSync(`"${'x'.repeat(BODY_BYTES_MAX)}"`), { ...JSON_TYPE, 'content-encoding': 'gzip' }],
    ['a broken disguise', 400, 'FZ_BODY_NOT_JSON', gzipSync('{}').subarray(0, 12), { ...JSON_TYPE, 'content-encoding': 'gzip' }],
    ['an unknown encoding', 415, 'FZ_MEDIA_TYPE', '{}', { ...JSON_TYPE, 'content-encoding': 'rot13' }],
    ['text', 415, 'FZ_MEDIA_TYPE', '{}', { 'content-type': 'text/plain' }],
    ['a form', 415, 'FZ_MEDIA_TYPE', 'a=1', { 'content-type': 'application/x-www-form-urlencoded' }],
    ['JSON in Latin-1', 415, 'FZ_MEDIA_TYPE', '{}', { 'content-type': 'application/json; charset=iso-8859-1' }],
    ['JSON in UTF-8 said so, but no task', 422, 'FZ_SCHEMA_INVALID', '{}', { 'content-type': 'Application/JSON; charset="UTF-8"' }],
    ['null', 422, 'FZ_SCHEMA_INVALID', 'null', JSON_TYPE],
    ['a NUL', 422, 'FZ_TEXT_UNSTORABLE', '{"userId":"a\\u0000"}', JSON_TYPE],
    ['a lone surrogate', 422, 'FZ_TEXT_UNSTORABLE', '{"userId":"\\ud800"}', JSON_TYPE],
    ['a correlation id that is too long', 400, 'FZ_HEADER_INVALID', '{}', { ...JSON_TYPE, 'x-correlation-id': 'x'.repeat(256) }],
    ['a correlation id with a space', 400, 'FZ_HEADER_INVALID', '{}', { ...JSON_TYPE, 'x-correlation-id': 'a b' }],
    ['an empty correlation id', 400, 'FZ_HEADER_INVALID', '{}', { ...JSON_TYPE, 'x-correlation-id': '' }],
  ])('%s: %i %s', async (_what, status, code, body, headers) => {
    const answer = await api.call('POST', PATH, body, headers);
    expect([answer.status, answer.json.code]).toEqual([status, code]);
    expectProblem(answer);
  });

  test.each([
    ['an unknown path', 'GET', '/nothing', 404, 'FZ_NOT_FOUND'],
    ['a path that is not UTF-8', 'GET', '/tasks/%ff', 404, 'FZ_NOT_FOUND'],
    ['a NUL as id', 'GET', '/tasks/%00', 404, 'FZ_NOT_FOUND'],
    ['an id that is no UUID', 'GET', '/tasks/42', 404, 'FZ_NOT_FOUND'],
    ['an id that nobody has', 'GET', '/tasks/9d2f7f39-0c8d-4c6d-9d94-6f7f7b3f3a10', 404, 'FZ_NOT_FOUND'],
    ['a template id that is no UUID', 'GET', '/templates/42', 404, 'FZ_NOT_FOUND'],
    ['another method of a command', 'GET', PATH, 405, 'FZ_METHOD_NOT_ALLOWED'],
    ['another method of a view', 'DELETE', '/tasks', 405, 'FZ_METHOD_NOT_ALLOWED'],
    ['a limit of 0', 'GET', '/tasks?limit=0', 422, 'FZ_QUERY_INVALID'],
    ['a limit of 101', 'GET', '/tasks?limit=101', 422, 'FZ_QUERY_INVALID'],
    ['a limit that is no number', 'GET', '/tasks?limit=1e1', 422, 'FZ_QUERY_INVALID'],
    ['a status of nobody', 'GET', '/tasks?status=lost', 422, 'FZ_QUERY_INVALID'],
    ['a status given twice', 'GET', '/tasks?status=failed&status=pending', 422, 'FZ_QUERY_INVALID'],
    ['a parameter that is unknown', 'GET', '/tasks?stauts=failed', 422, 'FZ_QUERY_INVALID'],
    ['a cursor that is none', 'GET', '/tasks?cursor=abc', 422, 'FZ_QUERY_INVALID'],
    ['a cursor with a wrong place', 'GET', `/tasks?cursor=${Buffer.from('["x","y"]').toString('base64url')}`, 422, 'FZ_QUERY_INVALID'],
    ['a cursor with a NUL', 'GET', `/tasks?cursor=${Buffer.from('["2020-01-01","\\u0000"]').toString('base64url')}`, 422, 'FZ_QUERY_INVALID'],
  ])('%s: %s %s is %i %s', async (_what, method, path, status, code) => {
    const answer = await api.call(method, path);
    expect([answer.status, answer.json.code]).toEqual([status, code]);
    expectProblem(answer);
  });

  test('256 KiB are 262,144 bytes', () => expect(BODY_BYTES_MAX).toBe(262_144));

  test('405 names the methods that there are', async () => {
    expect((await api.call('PUT', PATH, {})).headers.get('allow')).toBe('OPTIONS, POST');
    expect((await api.call('POST', '/tasks', {})).headers.get('allow')).toBe('OPTIONS, GET, HEAD');
    expect((await api.call('OPTIONS', '/templates')).status).toBe(204);
  });

  test('a header id of 255 characters is honoured', async () => {
    const id = 'x'.repeat(255);
    const answer = await api.call('GET', '/livez', undefined, { 'x-correlation-id': id });
    expect([answer.status, answer.headers.get('x-correlation-id')]).toEqual([200, id]);
  });

  test('what is not even HTTP is told so and shut out, and the API goes on', async () => {
    const answer = await spoken('NONSENSE\r\n\r\n');
    expect(answer).toMatch(/^HTTP\/1\.1 400 /);
    expect((await api.call('GET', '/livez')).status).toBe(200);
  });
});

test('no answer names what serves it, and each forbids what no one needs', async () => {
  const { headers } = await api.call('GET', '/livez');
  expect(headers.get('x-powered-by')).toBeNull();
  expect(headers.get('x-content-type-options')).toBe('nosniff');
  expect(headers.get('x-frame-options')).toBe('DENY');
  expect(headers.get('content-security-policy')).toContain("default-src 'none'");
});

test('a fault that nobody expected is FZ_INTERNAL and says nothing of its cause', async () => {
  await api.db.query('ALTER TABLE templates RENAME COLUMN prompt TO secret_column');
  try {
    const answer = await api.call('POST', '/templates', { name: 'n', prompt: 'p', rules: [] });
    expect([answer.status, answer.json.code]).toEqual([500, 'FZ_INTERNAL']);
    expect(answer.text).not.toMatch(/column|prompt|templates|node_modules/);
  } finally {
    await api.db.query('ALTER TABLE templates RENAME COLUMN secret_column TO prompt');
  }
});

/** RFC 9457, and our own members: a code, what to do next, and the id under which it is logged. */
function expectProblem({ status, json, headers }: Awaited<ReturnType<TestApi['call']>>): void {
  expect(headers.get('content-type')).toMatch(/^application\/problem\+json/);
  expect(json).toMatchObject({ status, type: `urn:fazenda:problem:${String(json.code)}` });
  for (const member of ['title', 'detail', 'next'] as const) expect(json[member]).toEqual(expect.stringMatching(/./));
  expect(json.correlationId).toBe(headers.get('x-correlation-id'));
}

function spoken(words: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = createConnection(Number(new URL(api.url).port), '127.0.0.1', () => socket.write(words));
    let heard = '';
    socket.on('data', (bytes) => (heard += String(bytes))).on('close', () => resolve(heard)).on('error', reject);
  });
}
