import { randomUUID } from 'node:crypto';
import { tellFacts } from '../src/facts/tell';
import { domainNamed } from '../workflows/domains';
import type { Fact } from '../workflows/kernel/fact';
import { fold } from '../workflows/kernel/lifecycle';
import { openApi, type TestApi } from './setup/api';
import { PARTS_TIMEOUT_MS } from './setup/stack';

const content = domainNamed('content');
const TEMPLATE = '00000000-0000-4000-8000-000000000001';

let api: TestApi;
beforeAll(async () => (api = await openApi({ topics: false })), PARTS_TIMEOUT_MS);
afterAll(() => api.close());
beforeEach(() => api.db.query('TRUNCATE facts, task_view'));

/** A task whose facts are told as ingress and workflow tell them. */
async function told(createdAt: string, end?: Pick<Fact, 'type' | 'data'>): Promise<string> {
  const id = randomUUID();
  const timestamp = Date.parse(createdAt);
  const data = { eventId: 'e', taskId: id, templateId: TEMPLATE, priority: 'low', modelType: 'local', timestamp, userId: 'u' };
  const facts: Fact[] = [{ type: 'TaskCreated', version: 1, at: new Date(timestamp).toISOString(), data }];
  if (end) facts.push({ ...end, version: 2, at: new Date(timestamp + 1_000).toISOString() });
  for (const [index, fact] of facts.entries()) {
    await tellFacts(api.db, content, [{ id, fact, after: fold(content.lifecycle, facts.slice(0, index + 1)) }]);
  }
  return id;
}
const cancelled = { type: 'TaskCancelled', data: { by: 'u', reason: null } };
const ids = ({ json }: { json: Record<string, unknown> }) => (json.items as { id: string }[]).map(({ id }) => id);

describe('one task', () => {
  test('is its view, in camel case, its instants in UTC', async () => {
    const id = await told('2026-01-02T03:04:05.678Z');
    const { status, json } = await api.call('GET', `/tasks/${id}`);
    expect(status).toBe(200);
    expect(json).toEqual({
      id, templateId: TEMPLATE, status: 'pending', priority: 'low', createdAt: '2026-01-02T03:04:05.678Z', completedAt: null, version: 1,
      modelType: 'local', userId: 'u', attempts: 0, agentId: null, contentUri: null, contentSha256: null, contentBytes: null,
      failures: [], reason: null, updatedAt: '2026-01-02T03:04:05.678Z',
    });
  });

  test.each([
    ['its version', '"2"', 304], ['any', '*', 304], ['a list with its version', '"1", "2"', 304], ['its version, weakly', 'W/"2"', 304],
    ['an older version', '"1"', 200], ['no version at all', '2', 200],
  ])('has a strong ETag: If-None-Match names %s', async (_what, given, status) => {
    const id = await told('2026-01-01T00:00:00Z', cancelled);
    const answer = await api.call('GET', `/tasks/${id}`, undefined, { 'if-none-match': given });
    expect([answer.status, answer.headers.get('etag')]).toEqual([status, '"2"']);
    expect(answer.text === '').toBe(status === 304);
  });
});

describe('the list of tasks', () => {
  test('goes from new to old, page after page, each task once, also where many were made in one instant', async () => {
    const same = await Promise.all(Array.from({ length: 5 }, () => told('2026-01-01T00:00:00.500Z')));
    const newer = await told('2026-01-01T00:00:01Z');
    const older = await told('2025-12-31T00:00:00Z');
    const seen: string[] = [];
    let cursor: unknown = '';
    do {
      const page = await api.call('GET', `/tasks?limit=2&cursor=${String(cursor)}`);
      expect(page.status).toBe(200);
      seen.push(...ids(page));
      cursor = page.json.nextCursor;
    } while (cursor !== null);
    expect(seen).toEqual([newer, ...same.sort().reverse(), older]);
  });

  test('a task made meanwhile moves no page', async () => {
    const old = [await told('2026-01-01T00:00:02Z'), await told('2026-01-01T00:00:01Z')];
    const first = await api.call('GET', '/tasks?limit=1');
    await told('2026-01-01T00:00:03Z');
    const second = await api.call('GET', `/tasks?limit=1&cursor=${String(first.json.nextCursor)}`);
    expect([...ids(first), ...ids(second)]).toEqual(old);
  });

  test('by status', async () => {
    await told('2026-01-01T00:00:00Z');
    const gone = await told('2026-01-01T00:00:00Z', cancelled);
    expect(ids(await api.call('GET', '/tasks?status=cancelled'))).toEqual([gone]);
    expect((await api.call('GET', '/tasks?status=failed')).json).toEqual({ items: [], nextCursor: null });
    expect(ids(await api.call('GET', '/tasks?status=&limit=&cursor='))).toHaveLength(2);
  });

  test('holds a hundred at most, and the last page says that it is the last', async () => {
    await Promise.all(Array.from({ length: 101 }, () => told('2026-01-01T00:00:00Z')));
    const page = await api.call('GET', '/tasks?limit=100');
    expect(ids(page)).toHaveLength(100);
    const last = await api.call('GET', `/tasks?limit=100&cursor=${String(page.json.nextCursor)}`);
    expect([ids(last).length, last.json.nextCursor]).toEqual([1, null]);
  });
});
