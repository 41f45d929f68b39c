import { createHash } from 'node:crypto';
import { Script } from 'node:vm';
import { openApiOf } from '../src/api/openapi';
import { domains } from '../workflows/domains';
import { openApi, type TestApi } from './setup/api';
import { fakeProducer } from './setup/fake-producer';
import { PARTS_TIMEOUT_MS } from './setup/stack';

const up = async () => undefined;
let api: TestApi;
beforeAll(async () => (api = await openApi({ producer: fakeProducer(), checks: { kafka: up, temporal: up, postgres: up } })), PARTS_TIMEOUT_MS);
afterAll(() => api.close());

type Document = { openapi: string; paths: Record<string, Record<string, { responses: Record<string, unknown> }>>; components: { schemas: object } };

test('OpenAPI names every door that the domains have', async () => {
  const { status, json } = await api.call('GET', '/docs/openapi.json');
  expect(status).toBe(200);
  const { openapi, paths } = json as Document;
  expect(openapi).toMatch(/^3\.1\./);
  for (const { http } of domains) {
    for (const { path, status: accepted } of http.commands) expect(paths[path]?.post?.responses).toHaveProperty(String(accepted));
    for (const { path } of http.resources) expect(Object.keys(paths[path] ?? {})).toEqual(['post', 'get']);
    for (const { path } of http.queries) expect(paths[`${path}/{id}`]).toHaveProperty('get');
    expect(paths).toHaveProperty([http.live.path.replace(':id', '{id}')]);
  }
});

test('every operation that it names exists: none answers 404 for its path or 405', async () => {
  const { paths } = openApiOf(domains) as Document;
  for (const [path, methods] of Object.entries(paths)) {
    if (path.startsWith('/ws/')) continue;
    for (const method of Object.keys(methods)) {
      const { status, json } = await api.call(method.toUpperCase(), path.replace('{id}', 'x'), method === 'post' ? '{}' : undefined);
      expect([path, method, status]).not.toEqual([path, method, 405]);
      if (status === 404) expect(json.detail).not.toMatch(/^there is nothing at/);
    }
  }
});

test('every reference in it resolves', () => {
  const document = openApiOf(domains) as Document;
  const names = [...JSON.stringify(document).matchAll(/"\$ref":"([^"]+)"/g)].map(([, reference]) => reference ?? '');
  expect(names.length).toBeGreaterThan(0);
  for (const name of names) {
    expect(name).toMatch(/^#\/components\/schemas\//);
    expect(document.components.schemas).toHaveProperty([name.replace('#/components/schemas/', '')]);
  }
});

describe('pages need nothing but themselves', () => {
  test.each(['/', '/docs'])('%s', async (path) => {
    const { status, text, headers } = await api.call('GET', path, undefined, { accept: 'text/html' });
    expect([status, headers.get('content-type')]).toEqual([200, 'text/html; charset=utf-8']);
    expect(text).not.toMatch(/(src|href)="(https?:)?\/\//);
    const policy = headers.get('content-security-policy') ?? '';
    expect(policy).toContain("default-src 'none'");
    expect(policy).not.toMatch(/unsafe/);
    for (const [, kind = '', inline = ''] of text.matchAll(/<(script|style)>([^]*?)<\/\1>/g)) {
      expect(policy).toContain(`${kind}-src 'sha256-${createHash('sha256').update(inline).digest('base64')}'`);
      if (kind === 'script') expect(() => new Script(inline)).not.toThrow();
    }
  });

  test('who asks the docs for JSON gets OpenAPI', async () => {
    const { headers, json } = await api.call('GET', '/docs', undefined, { accept: 'application/json' });
    expect(headers.get('content-type')).toMatch(/^application\/json/);
    expect(json).toHaveProperty('openapi');
  });
});
