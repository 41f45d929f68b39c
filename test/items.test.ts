import { randomUUID } from 'node:crypto';
import { openLog } from '../src/log';
import { factId } from '../src/facts/identity';
import { openRelay, type Relay } from '../src/relay/relay';
import { openApi, type Answer, type TestApi } from './setup/api';
import { PARTS_TIMEOUT_MS } from './setup/stack';
import { recordsOfKey, type SeenRecord } from './setup/topic';
import { until } from './setup/until';

const TOPIC = 'items-events';
let api: TestApi;
let relay: Relay;
beforeAll(async () => {
  api = await openApi();
  relay = openRelay(api.config, openLog(api.config, 'relay'), api.producer);
  relay.start();
}, PARTS_TIMEOUT_MS);
afterAll(async () => {
  await relay.stop();
  await api.close();
});

const made = async (more: object = {}, headers: Record<string, string> = {}): Promise<Answer> => api.call('POST', '/v1/items', { name: 'Wheelbarrow', sku: 'WB-1', ...more }, headers);
const at = (answer: Answer) => `/v1/items/${String(answer.json.id)}`;

async function eventsOf(id: unknown, count: number): Promise<SeenRecord[]> {
  let seen: SeenRecord[] = [];
  await until(async () => (seen = await recordsOfKey(api.config, TOPIC, String(id))).length >= count, `${count} events of ${String(id)}`);
  return seen;
}

test('the life of an item: each call answers at once, and each has its event, in order, with both header sets', async () => {
  const created = await made({}, { 'x-user-id': 'ana', 'x-correlation-id': 'trace-1' });
  expect(created.status).toBe(201);
  const { id, created_at } = created.json as { id: string; created_at: string };
  expect(created.json).toEqual({ id, name: 'Wheelbarrow', sku: 'WB-1', created_by: 'ana', created_at, updated_at: created_at });
  expect([created.headers.get('location'), created.headers.get('etag')]).toEqual([at(created), '"1"']);
  expect((await api.call('GET', at(created))).json).toEqual(created.json);

  const updated = await api.call('PATCH', at(created), { name: 'Red wheelbarrow' }, { 'x-user-id': 'bo' });
  expect([updated.status, updated.json.name, updated.json.sku, updated.headers.get('etag')]).toEqual([200, 'Red wheelbarrow', 'WB-1', '"2"']);
  const deleted = await api.call('DELETE', at(created));
  expect([deleted.status, deleted.text]).toEqual([204, '']);
  for (const [method, body] of [['GET'], ['PATCH', { name: 'x' }], ['DELETE']] as const) expect((await api.call(method, at(created), body)).status).toBe(404);

  const events = await eventsOf(id, 3);
  expect(events.map(({ value }) => JSON.parse(value) as unknown)).toEqual([
    { id, name: 'Wheelbarrow', sku: 'WB-1', created_by: 'ana' },
    { id, changes: { name: 'Red wheelbarrow' }, updated_by: 'bo' },
    { id, deleted_by: 'anonymous' },
  ]);
  const types = ['ItemCreated', 'ItemUpdated', 'ItemDeleted'];
  const correlations = ['trace-1', updated.headers.get('x-correlation-id'), deleted.headers.get('x-correlation-id')];
  events.forEach(({ headers }, index) => {
    expect(headers).toEqual({
      ce_specversion: '1.0', ce_id: factId('item', id, index + 1), ce_type: types[index], ce_source: '/fazenda/item', ce_subject: id,
      ce_time: headers.timestamp, 'content-type': 'application/json', ce_sequence: String(index + 1),
      correlation_id: correlations[index], causation_id: index === 0 ? 'trace-1' : factId('item', id, index),
      traceparent: expect.stringMatching(/^00-/) as string,
      event_type: types[index], entity_type: 'Item', timestamp: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/) as string,
    });
  });
  expect(events[0]?.headers.timestamp).toBe(created_at);
});

test('without a user it was anonymous', async () => {
  const { json } = await made();
  expect(json.created_by).toBe('anonymous');
  expect(JSON.parse((await eventsOf(json.id, 1))[0]?.value ?? '')).toMatchObject({ created_by: 'anonymous' });
});

test('an Idempotency-Key makes one item and one event, also after a crash between the row and its answer', async () => {
  const key = { 'idempotency-key': randomUUID() };
  const first = await made({}, key);
  const claimLost = () => api.db.query('UPDATE idempotency_keys SET status = NULL, headers = NULL, body = NULL, claimed_until = now() WHERE key = $1', [key['idempotency-key']]);
  expect((await made({}, key)).text).toBe(first.text);
  await claimLost();
  const again = await made({}, key);
  expect([again.status, again.text]).toEqual([201, first.text]);
  expect((await made({ name: 'other' }, key)).status).toBe(422);

  await api.call('DELETE', at(first));
  await claimLost();
  expect((await made({}, key)).status).toBe(409);
  expect((await eventsOf(first.json.id, 2)).map(({ headers }) => headers.ce_type)).toEqual(['ItemCreated', 'ItemDeleted']);
});

test('twenty changes at once are all made, each with an event of its own version', async () => {
  const item = await made();
  const answers = await Promise.all(Array.from({ length: 20 }, (_, n) => api.call('PATCH', at(item), { name: `n-${n}` })));
  expect(answers.map(({ status }) => status)).toEqual(Array.from({ length: 20 }, () => 200));
  const events = await eventsOf(item.json.id, 21);
  expect(events.map(({ headers }) => headers.ce_sequence)).toEqual(Array.from({ length: 21 }, (_, n) => String(n + 1)));
  const last = JSON.parse(events.at(-1)?.value ?? '') as { changes: { name: string } };
  expect((await api.call('GET', at(item))).json.name).toBe(last.changes.name);
  const byVersion = new Map(answers.map(({ headers, json }) => [headers.get('etag'), json.name]));
  expect(byVersion.size).toBe(20);
  expect(byVersion.get('"21"')).toBe(last.changes.name);
});

test('whoever says which version he saw changes no other', async () => {
  const item = await made();
  const seen = { 'if-match': item.headers.get('etag') ?? '' };
  expect((await api.call('PATCH', at(item), { sku: 'WB-2' }, seen)).status).toBe(200);
  for (const [method, body] of [['PATCH', { sku: 'WB-3' }], ['DELETE']] as const) {
    const { status, json } = await api.call(method, at(item), body, seen);
    expect([status, json.code]).toEqual([412, 'FZ_VERSION_CHANGED']);
  }
  expect((await api.call('GET', at(item), undefined, { 'if-none-match': '"2"' })).status).toBe(304);
  expect((await api.call('DELETE', at(item), undefined, { 'if-match': '"2"' })).status).toBe(204);
});

test('pages hold each item once, newest first', async () => {
  const ids: unknown[] = [];
  for (let n = 0; n < 5; n += 1) ids.unshift((await made({ name: `page ${n}` })).json.id);
  const seen: unknown[] = [];
  for (let cursor: unknown = ''; cursor !== null; ) {
    const { json } = await api.call('GET', `/v1/items?limit=2&cursor=${String(cursor)}`);
    seen.push(...(json.items as { id: string }[]).map(({ id }) => id));
    cursor = json.nextCursor;
  }
  expect(seen.slice(0, 5)).toEqual(ids);
  expect(new Set(seen).size).toBe(seen.length);
});

test.each([
  ['POST', { sku: 'x' }, 422], ['POST', { name: '', sku: 'x' }, 422], ['POST', { name: 'n', sku: 's'.repeat(256) }, 422], ['POST', { name: 'a\u0000b', sku: 'x' }, 422],
  ['POST', '{', 400], ['PATCH', {}, 422], ['PATCH', { name: 7 }, 422], ['PATCH', { id: randomUUID() }, 422],
])('%s %j: %d, and nothing happens', async (method, body, expected) => {
  const item = await made();
  const { status } = await api.call(method, method === 'POST' ? '/v1/items' : at(item), body);
  expect(status).toBe(expected);
  expect((await api.call('GET', at(item))).json).toEqual(item.json);
});

test('an id that is none, or nobody’s, is a 404, and a user that cannot be a header a 400', async () => {
  for (const id of [randomUUID(), 'x', '%00']) for (const method of ['GET', 'DELETE']) expect((await api.call(method, `/v1/items/${id}`)).status).toBe(404);
  expect((await made({}, { 'x-user-id': 'a b' })).status).toBe(400);
});
