import { randomUUID } from 'node:crypto';
import type { Message } from 'kafkajs';
import { created, openTestIngress, type TestIngress } from './setup/ingress';
import { POISON_KINDS } from './setup/poison';
import { rawRecordsOn } from './setup/raw-records';
import { PARTS_TIMEOUT_MS } from './setup/stack';

/** More than 200 kinds of malformed records among good ones on one partition: each bad one dies once, as it came; the good ones go on in order. */

const PARTITION = 7;
let ingress: TestIngress;
beforeAll(async () => (ingress = await openTestIngress()), PARTS_TIMEOUT_MS);
afterAll(() => ingress.close());

test('the kinds are two hundred, and no two of them the same', () => {
  expect(POISON_KINDS.length).toBeGreaterThanOrEqual(200);
  expect(new Set(POISON_KINDS.map(({ kind }) => kind)).size).toBe(POISON_KINDS.length);
  expect(new Set(POISON_KINDS.map(({ value }) => value?.toString('base64'))).size).toBe(POISON_KINDS.length);
});

test('each bad one is in the dead-letter topic once, with its bytes; every good one starts, in the order of the partition', async () => {
  // Between any two kinds of poison: a task, and the same task told again otherwise, which must come second.
  const tasks = POISON_KINDS.map(() => randomUUID() as string);
  const batch: Message[] = POISON_KINDS.flatMap(({ value }, at): Message[] => {
    const id = tasks[at]!;
    const poison: Message = { key: at % 3 === 0 ? null : `key ${at}`, value, headers: { kind: Buffer.from(String(at)) } };
    return [{ key: id, value: created(id, { userId: 'first' }) }, poison, { key: id, value: created(id, { userId: 'second' }) }];
  });
  const offsetOf = (at: number) => String(at * 3 + 1);
  for (let start = 0; start < batch.length; start += 90) await ingress.write('task.created', batch.slice(start, start + 90), PARTITION);
  await ingress.start();
  await ingress.caughtUp();

  const dead = await rawRecordsOn(ingress.config, 'task.created.dlq');
  const died = dead.map(({ key, value, headers }) => ({
    kind: POISON_KINDS[Number(headers.kind)]?.kind, code: String(headers.dlq_error_code), key: key && String(key),
    same: value === null ? POISON_KINDS[Number(headers.kind)]?.value === null : value.equals(POISON_KINDS[Number(headers.kind)]?.value ?? Buffer.from('?')),
    place: `${String(headers.dlq_topic)}/${String(headers.dlq_partition)}/${String(headers.dlq_offset)}`,
  }));
  expect(died).toEqual(POISON_KINDS.map(({ kind, code }, at) => ({ kind, code, key: at % 3 === 0 ? null : `key ${at}`, same: true, place: `task.created/${PARTITION}/${offsetOf(at)}` })));

  const { rows } = await ingress.db.query<{ id: string; user_id: string; origin: string }>(
    "SELECT aggregate_id AS id, payload->>'userId' AS user_id, origin FROM facts ORDER BY seq");
  const placed = new Map(rows.map(({ id, origin, user_id }) => [id, `${user_id} ${origin}`]));
  expect(tasks.map((id) => placed.get(id))).toEqual(tasks.map((_id, at) => `first task.created/${PARTITION}/${at * 3}`));
  expect(rows).toHaveLength(tasks.length);
  expect(await Promise.all(tasks.map((id) => ingress.runs(id)))).toEqual(tasks.map(() => true));
  expect(await ingress.fates()).toEqual({ started: tasks.length, duplicate: tasks.length, dead_lettered: tasks.length });
}, 60_000);
