import { randomUUID } from 'node:crypto';
import { factsFrom } from '../src/facts/read';
import { clusterName, openKafka } from '../src/kafka/client';
import type { OutgoingRecord } from '../src/kafka/port';
import { openLog } from '../src/log';
import { recordOfFact } from '../src/relay/publish';
import { loadFormats } from '../src/schemas/wire';
import { domainNamed } from '../workflows/domains';
import { fold } from '../workflows/kernel/lifecycle';
import { rawRecordsOn } from './setup/raw-records';
import { PARTS_TIMEOUT_MS } from './setup/stack';
import { storyOf } from './setup/story';
import { eventsOf as events, openToldStage, paidOrder, WHOLE as whole, type ToldStage } from './setup/told-stage';

/** A story told again from its topics is the story, whatever lies between, beside and before its records. */

const content = domainNamed('content');

let stage: ToldStage;
beforeAll(async () => (stage = await openToldStage()), PARTS_TIMEOUT_MS);
afterAll(() => stage.close());

const replayed = (body: object) => stage.replayed(body);
const published = () => stage.published();

/** The records of a told task, as the relay would send them, for tests that send them otherwise. */
async function recordsOf(id: string): Promise<OutgoingRecord[]> {
  await stage.tell('content', id, storyOf(id));
  const formats = await loadFormats(stage.db);
  const records = (await factsFrom(stage.db, 'content', id)).map((fact) => recordOfFact(fact, formats));
  await stage.db.query('UPDATE facts SET published_at = now() WHERE aggregate_id = $1', [id]);
  return records;
}

test('each step with its place, the state, the view, and no difference', async () => {
  const id = await published();
  const answer = await replayed({ aggregateId: id.toUpperCase() });
  const facts = storyOf(id);
  expect(answer).toMatchObject({ domain: 'content', aggregateId: id, temporal: null, differences: [] });
  expect(events(answer)).toEqual(whole);
  for (const [at, step] of answer.steps.entries()) {
    const { topic, partition, offset } = step.place;
    const there = (await rawRecordsOn(stage.config, topic)).find((record) => record.partition === partition && record.offset === String(offset));
    expect([String(there?.key), String(there?.headers.ce_id), String(there?.headers.ce_sequence)]).toEqual([id, step.ceId, String(at + 1)]);
    expect(step.at).toBe(facts[at]?.at);
    expect(step.state).toMatchObject({ version: at + 1, movedAt: facts[at]?.at, status: step.status });
  }
  expect(answer.state).toEqual(answer.steps.at(-1)?.state);
  expect(answer.state).toMatchObject({ status: 'completed', version: 5, stored: { uri: 's3://b/content' } });
  expect(answer.view).toMatchObject({ id, status: 'completed', version: 5, completed_at: facts[4]?.at });
});

test.each([
  ['a version', { version: 3 }, undefined, [3, 4, 5]],
  ['the very first', { version: 0 }, undefined, [1, 2, 3, 4, 5]],
  ['an instant', { instant: '2026-01-01T12:00:04Z' }, undefined, [4, 5]],
  ['an instant elsewhere on earth', { instant: '2026-01-01T09:00:04-03:00' }, undefined, [4, 5]],
  ['beyond its end', { version: 6 }, undefined, []],
  ['the start, until a version', undefined, { version: 2 }, [1, 2]],
  ['one version, until another', { version: 2 }, { version: 3 }, [2, 3]],
  ['the start, until an instant', undefined, { instant: '2026-01-01T12:00:03.999Z' }, [1, 2, 3]],
])('from %s', async (_what, from, until, versions) => {
  const id = await published();
  const answer = await replayed({ aggregateId: id, ...(from && { from }), ...(until && { until }) });
  expect(answer.steps.map(({ version }) => version)).toEqual(versions);
  // Earlier facts are folded unseen; a bound from above is where the state stands; differences are those of now.
  const last = until ? versions.at(-1)! : 5;
  expect(answer.state).toEqual(fold(content.lifecycle, storyOf(id).slice(0, last)).version === last ? expect.objectContaining({ version: last }) : null);
  if (versions.length > 0) expect(answer.steps[0]?.state).toMatchObject({ priority: 'normal', version: versions[0] });
  expect(answer.differences).toEqual([]);
});

test('from an offset: the first step that lies there or behind it, and all that follow', async () => {
  const id = await published();
  const { steps } = await replayed({ aggregateId: id });
  const [, , generated, validated] = steps;
  const from = (offsets: object) => replayed({ aggregateId: id, from: { offset: offsets } }).then((answer) => answer.steps.map(({ version }) => version));
  expect(await from({ 'content.generated': generated!.place.offset })).toEqual([3, 4, 5]);
  expect(await from({ 'content.generated': generated!.place.offset + 1 })).toEqual([]);
  expect(await from({ 'content.generated': generated!.place.offset + 1, 'content.validated': validated!.place.offset })).toEqual([4, 5]);
  const until = await replayed({ aggregateId: id, until: { offset: { 'content.generated': generated!.place.offset } } });
  expect([until.steps.length, until.state?.version]).toEqual([3, 3]);
});

test('records in any order, and twice, make the same story', async () => {
  const id = randomUUID();
  const records = await recordsOf(id);
  const shuffled = [...records, ...records].map((record) => ({ record, at: Math.random() })).toSorted((a, b) => a.at - b.at);
  for (const { record } of shuffled) await stage.producer.send([record]);
  const answer = await replayed({ aggregateId: id });
  expect(events(answer)).toEqual(whole);
  expect(answer.differences).toEqual([]);
});

test('what claims to be a fact and is none is not told', async () => {
  const id = randomUUID();
  const records = await recordsOf(id);
  const [created, assigned] = records as [OutgoingRecord, OutgoingRecord];
  const cancelled = { ce_type: 'TaskCancelled', ce_sequence: '6' };
  await stage.producer.send([
    ...records,
    { ...assigned, headers: { ...assigned.headers, ce_sequence: '6' } },
    { ...assigned, topic: 'task.cancelled', value: Buffer.from('{}'), headers: { ...assigned.headers, ...cancelled } },
    { ...assigned, headers: { ...assigned.headers, ce_sequence: 'x' } },
    { ...created, key: null, value: Buffer.from('no json'), headers: {} },
    { ...assigned, value: null, headers: { ce_source: '/elsewhere', ce_subject: id } },
  ]);
  const answer = await replayed({ aggregateId: id });
  expect(events(answer)).toEqual(whole);
  expect(answer.differences).toEqual([]);
});

test('a partner’s first fact is found in whatever partition he put it, and the first one counts', async () => {
  const id = randomUUID();
  const facts = paidOrder(id, 'partner');
  await stage.tell('order', id, facts);
  const { orderId, clientId, total, items, createdAt } = facts[0]!.data as Record<string, unknown>;
  const kafka = openKafka(stage.config, openLog(stage.config, 'test')).producer();
  await kafka.connect();
  const value = (more: object) => JSON.stringify({ orderId, clientId, total, status: 'PENDENTE', items, itemsCount: 1, createdAt, ...more });
  const { steps: [elsewhere] } = await replayed({ aggregateId: await published() });
  const partition = (elsewhere!.place.partition + 5) % 12;
  const messages = [{ value: value({}), partition }, { value: value({ total: 99 }), partition }, { value: '{"orderId":1}', partition }];
  await kafka.send({ topic: clusterName(stage.config, 'orders.created'), messages });
  await kafka.disconnect();
  await stage.db.query(`UPDATE facts SET origin = 'orders.created/0/0', published_at = now() WHERE aggregate_id = $1 AND version = 1`, [id]);
  await stage.publish();
  for (const indexed of [false, true]) {
    if (indexed) await stage.index();
    const answer = await replayed({ aggregateId: id });
    expect(answer).toMatchObject({ domain: 'order', state: { status: 'paid', edge: 'partner', totalCents: 1_000 }, differences: [] });
    expect(answer.steps.map(({ event }) => event)).toEqual(['OrderCreated', 'InventoryReserved', 'PaymentCaptured', 'OrderPaid']);
  }
}, 60_000);

test('a fact’s context comes back with it', async () => {
  const id = randomUUID();
  await stage.tell('order', id, paidOrder(id));
  await stage.publish();
  const { state, differences } = await replayed({ aggregateId: id });
  expect(state).toMatchObject({ edge: 'shop', payments: [{ typePaymentId: 1, amount: 10 }] });
  expect(differences).toEqual([]);
});

describe('where the others differ', () => {
  test('a row that says something else, column by column', async () => {
    const id = await published();
    await stage.db.query(`UPDATE task_view SET status = 'failed', attempts = 9, created_at = created_at + interval '1 ms' WHERE id = $1`, [id]);
    const { differences } = await replayed({ aggregateId: id });
    expect(differences).toEqual([
      { teller: 'task_view', field: 'status', expected: 'completed', found: 'failed' },
      { teller: 'task_view', field: 'created_at', expected: '2026-01-01T12:00:01', found: '2026-01-01T12:00:01.001' },
      { teller: 'task_view', field: 'attempts', expected: 1, found: 9 },
    ]);
  });

  test('a row that is missing, behind, or ahead of everything that was ever told', async () => {
    const [gone, behind, ahead] = [await published(), await published(), await published()];
    await stage.db.query('DELETE FROM task_view WHERE id = $1', [gone]);
    await stage.db.query('UPDATE task_view SET version = CASE WHEN id = $1 THEN 4 ELSE 7 END WHERE id = ANY($2)', [behind, [behind, ahead]]);
    expect(await replayed({ aggregateId: gone })).toMatchObject({ view: null, differences: [{ teller: 'task_view', field: 'version', expected: 5, found: null }] });
    expect((await replayed({ aggregateId: behind })).differences).toEqual([{ teller: 'task_view', field: 'version', expected: 5, found: 4 }]);
    expect((await replayed({ aggregateId: ahead })).differences).toEqual([{ teller: 'task_view', field: 'version', expected: 5, found: 7 }]);
  }, 60_000);

  test('a version that is on no topic: told as far as it goes, and named', async () => {
    const id = randomUUID();
    const records = await recordsOf(id);
    await stage.producer.send(records.filter(({ headers }) => headers.ce_sequence !== '3'));
    const answer = await replayed({ aggregateId: id });
    expect(answer.steps.map(({ version, status }) => [version, status])).toEqual([[1, 'pending'], [2, 'processing'], [4, null], [5, null]]);
    expect(answer.state).toBeNull();
    expect(answer.differences).toContainEqual({ teller: 'topics', field: 'version', expected: 3, found: null });
    expect(answer.differences).toContainEqual({ teller: 'task_view', field: 'version', expected: 2, found: 5 });
  });

  test('what is still on its way is no difference: the relay is a moment late', async () => {
    const id = randomUUID();
    await stage.tell('content', id, storyOf(id));
    const late = setTimeout(() => void stage.publish(), 400);
    const answer = await replayed({ aggregateId: id });
    clearTimeout(late);
    expect(events(answer)).toEqual(whole);
    expect(answer.differences).toEqual([]);
  });

  test('a task that was taken in and has only its first fact: when it came in is nobody’s to say', async () => {
    const id = randomUUID();
    await stage.tell('content', id, storyOf(id).slice(0, 1));
    await stage.db.query(`UPDATE task_view SET updated_at = now() AT TIME ZONE 'UTC' WHERE id = $1`, [id]);
    await stage.publish();
    expect((await replayed({ aggregateId: id })).differences).toEqual([]);
  });
});

test('an id that two domains know is asked about again, by its domain', async () => {
  const id = await published();
  await stage.tell('order', id, paidOrder(id));
  await stage.publish();
  const { status, json } = await stage.replay({ aggregateId: id });
  expect([status, json.code]).toEqual([422, 'FZ_SCHEMA_INVALID']);
  expect(json.errors).toEqual([{ path: 'domain', message: 'name one of content, order' }]);
  expect((await replayed({ aggregateId: id, domain: 'order' })).state?.status).toBe('paid');
  expect((await replayed({ aggregateId: id, domain: 'content' })).state?.status).toBe('completed');
});

test.each([
  ['an aggregate that nobody knows', { aggregateId: randomUUID() }, 404],
  ['an id that no table could hold', { aggregateId: 'no uuid at all' }, 404],
  ['no id', {}, 422],
  ['an empty id', { aggregateId: '' }, 422],
  ['an id that is no text', { aggregateId: 7 }, 422],
  ['a version that is none', { aggregateId: 'x', from: { version: -1 } }, 422],
  ['two bounds in one', { aggregateId: 'x', from: { version: 1, instant: '2026-01-01T00:00:00Z' } }, 422],
  ['an instant that is none', { aggregateId: 'x', from: { instant: 'yesterday' } }, 422],
  ['a topic that carries no facts', { aggregateId: 'x', from: { offset: { 'task.cancel': 1 } } }, 422],
  ['no topic', { aggregateId: 'x', until: { offset: {} } }, 422],
  ['an offset that is none', { aggregateId: 'x', from: { offset: { 'task.created': 1.5 } } }, 422],
  ['a bound of another kind', { aggregateId: 'x', from: 3 }, 422],
  ['a domain that there is not', { aggregateId: 'x', domain: 'nothing' }, 422],
  ['a member that it does not know', { aggregateId: 'x', to: { version: 1 } }, 422],
])('%s', async (_what, body, status) => {
  expect((await stage.replay(body)).status).toBe(status);
});

test('only an admin may ask', async () => {
  expect((await stage.call('POST', '/admin/replay', { aggregateId: 'x' })).status).toBe(401);
});
