import { randomUUID } from 'node:crypto';
import { factId } from '../../src/facts/identity';
import { recordOf } from '../../src/kafka/cloudevents';
import { JSON_CONTENT_TYPE } from '../../src/kafka/codec';
import type { OutgoingRecord, Producer } from '../../src/kafka/port';
import { domainNamed } from '../../workflows/domains';

/** Numbers from 0 to 1 that a seed repeats (mulberry32). */
export function randomBy(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

type Step = readonly [type: string, data: object, context?: object];

const wanting = (random: () => number) => <One>(all: readonly One[]): One => all[Math.floor(random() * all.length)]!;

function contentSteps(id: string, random: () => number, atMs: number): Step[] {
  const one = wanting(random);
  const created: Step = ['TaskCreated', { eventId: `e-${id}`, taskId: id, templateId: id, priority: 'low', modelType: 'local', timestamp: atMs, userId: 'somebody' }];
  const assigned = (attempt: number): Step => ['TaskAssigned', { taskId: id, attempt, agentId: 'agent' }];
  const generated = (attempt: number): Step => ['ContentGenerated', { taskId: id, attempt, contentUri: 's3://b/d', sha256: 'a', model: 'm', usage: { inputTokens: 1, outputTokens: null } }];
  const broken = (attempt: number): Step => ['ValidationFailed', { taskId: id, attempt, failures: [] }];
  const failed = (reason: string): Step => ['TaskFailed', { taskId: id, reason, attempts: 1 }];
  const stored: Step[] = [['ContentValidated', { taskId: id, attempt: 1, score: 1 }], ['ContentStored', { taskId: id, uri: 's3://b/c', sha256: 'a', bytes: 3 }]];
  const again = [assigned(1), generated(1), broken(1), assigned(2), generated(2)];
  return [created, ...one<Step[]>([
    [assigned(1), generated(1), ...stored], [...again, ...stored], [...again, failed('validation')], [assigned(1), failed('technical')],
    [failed(one(['unknown-template', 'unknown-model']))], [assigned(1), ['TaskCancelled', { taskId: id, by: 'x', reason: null }]], [assigned(1)],
  ])];
}

function orderSteps(id: string, random: () => number, at: string): Step[] {
  const one = wanting(random);
  const items = Array.from({ length: 1 + Math.floor(random() * 3) }, (_, place) => ({ productId: `p${place}`, quantity: 1 + Math.floor(random() * 9), price: 1 }));
  // Such as are not exact in binary.
  const total = Math.floor(random() * 100_000) / 100;
  const closing = { orderId: id, clientId: 'c', clientName: null, total, updatedAt: at };
  const stock = (reason?: string) => ({ orderId: id, items: items.map(({ productId, quantity }) => ({ productId, quantity })), ...(reason && { reason }) });
  const payment = (reason?: string) => ({ orderId: id, amount: total.toFixed(2), paymentId: 'p', ...(reason && { reason }) });
  const created: Step = ['OrderCreated', { orderId: id, clientId: 'c', total, status: 'PENDENTE', items, itemsCount: items.length, createdAt: at }, { edge: 'shop', payments: [] }];
  const failed: Step = ['OrderFailed', { ...closing, status: one(['CANCELADO', 'FALHA']) }];
  const reserved: Step = ['InventoryReserved', stock()];
  return [created, ...one<Step[]>([
    [reserved, ['PaymentCaptured', payment()], ['OrderPaid', { ...closing, status: 'PAGO' }]],
    [reserved, ['PaymentCaptured', payment()], ['OrderPaid', { ...closing, status: 'PAGO' }]],
    [reserved, ['PaymentDeclined', payment(one(['declined', undefined]))], ['InventoryReleased', stock(one(['declined', undefined]))], failed],
    [['InventoryRejected', stock(one(['unknown-product', undefined]))], failed],
    [reserved, ['InventoryReleased', stock('deadline')], failed],
    [reserved, ['PaymentDeclined', payment('cancelled')], ['PaymentVoided', payment()], ['InventoryReleased', stock()], failed],
    [failed], [reserved],
  ])];
}

/**
 * The records of some stories in the order of their telling, as the relay publishes them.
 * @param beginMs when the first of them begins
 * @param spreadMs over what time they begin; a step takes up to a minute
 */
export function randomRecords(random: () => number, stories: number, beginMs: number, spreadMs: number): OutgoingRecord[] {
  return Array.from({ length: stories }, () => {
    const id = randomUUID() as string;
    const domain = domainNamed(random() < 0.5 ? 'content' : 'order');
    let atMs = Math.floor(beginMs + random() * spreadMs);
    const at = new Date(atMs).toISOString();
    const steps = domain.name === 'content' ? contentSteps(id, random, atMs) : orderSteps(id, random, at);
    return steps.map(([type, data, context], place) => {
      const version = place + 1;
      // Some steps take no time, and some times go back, as clocks of several machines do.
      if (version > 1) atMs += Math.floor(random() * random() * 60_000) - (random() < 0.1 ? 2_000 : 0);
      const envelope = {
        ceId: factId(domain.name, id, version), type, domain: domain.name, aggregateId: id, at: new Date(atMs).toISOString(), version,
        correlationId: id, causationId: id, ...(context && { context }),
      };
      return recordOf(domain.topics[type] ?? '', id, envelope, Buffer.from(JSON.stringify(data)), JSON_CONTENT_TYPE);
    });
  }).flat();
}

/** In any order, and some of them twice. */
export function disturbed(random: () => number, records: readonly OutgoingRecord[]): OutgoingRecord[] {
  const all = records.flatMap((record) => (random() < 0.2 ? [record, record] : [record]));
  return all.map((record) => ({ record, place: random() })).toSorted((a, b) => a.place - b.place).map(({ record }) => record);
}

export async function put(producer: Producer, records: readonly OutgoingRecord[]): Promise<void> {
  for (let from = 0; from < records.length; from += 500) await producer.send(records.slice(from, from + 500));
}

