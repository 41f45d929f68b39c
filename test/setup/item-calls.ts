import fc from 'fast-check';
import type { Answer, TestApi } from './api';

/** A call about the n-th item that this run has made, or a new one. */
export type ItemCall =
  | { readonly kind: 'create'; readonly name: string; readonly sku: string; readonly user: string | undefined }
  | { readonly kind: 'update'; readonly nth: number; readonly changes: { readonly name?: string; readonly sku?: string }; readonly user: string | undefined }
  | { readonly kind: 'delete'; readonly nth: number; readonly user: string | undefined };

/** Any text that can be stored, up to the contract's length. */
const text = fc.string({ unit: 'binary', minLength: 1, maxLength: 40 }).filter((one) => !one.includes('\u0000'));
const user = fc.option(fc.stringMatching(/^[\x21-\x7e]{1,20}$/), { nil: undefined });
const nth = fc.nat(9);
const changes = fc.oneof(fc.record({ name: text }), fc.record({ sku: text }), fc.record({ name: text, sku: text }));

export const itemCalls: fc.Arbitrary<ItemCall[]> = fc.array(
  fc.oneof(
    { weight: 2, arbitrary: fc.record({ kind: fc.constant('create' as const), name: text, sku: text, user }) },
    { weight: 3, arbitrary: fc.record({ kind: fc.constant('update' as const), nth, changes, user }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('delete' as const), nth, user }) },
  ),
  { minLength: 1, maxLength: 8 },
);

/** An event as its contract has it. */
export type ItemEvent = readonly [type: string, data: unknown];

/** What became of some calls: the events that each item must have, in order, by a model that is no database. */
export interface Made {
  readonly events: Map<string, ItemEvent[]>;
  /** The items that are left, as they must be now. */
  readonly left: Map<string, { readonly name: string; readonly sku: string }>;
}

/** Makes the calls, one after the other, and expects of each that it succeeds, or finds nothing where there is nothing. */
export async function makeCalls({ call }: Pick<TestApi, 'call'>, calls: readonly ItemCall[]): Promise<Made> {
  const ids: string[] = [];
  const events = new Map<string, ItemEvent[]>();
  const left: Made['left'] = new Map();
  for (const one of calls) {
    const by = one.user ?? 'anonymous';
    const headers: Record<string, string> = one.user === undefined ? {} : { 'x-user-id': one.user };
    if (one.kind === 'create') {
      const { name, sku } = one;
      const { json } = expecting(201, await call('POST', '/v1/items', { name, sku }, headers));
      const id = String(json.id);
      ids.push(id);
      left.set(id, { name, sku });
      events.set(id, [['ItemCreated', { id, name, sku, created_by: by }]]);
      continue;
    }
    const id = ids[one.nth % Math.max(1, ids.length)] ?? 'none';
    const before = left.get(id);
    const path = `/v1/items/${id}`;
    if (one.kind === 'update') {
      expecting(before ? 200 : 404, await call('PATCH', path, one.changes, headers));
      if (!before) continue;
      left.set(id, { ...before, ...one.changes });
      events.get(id)?.push(['ItemUpdated', { id, changes: one.changes, updated_by: by }]);
    } else {
      expecting(before ? 204 : 404, await call('DELETE', path, undefined, headers));
      if (!before) continue;
      left.delete(id);
      events.get(id)?.push(['ItemDeleted', { id, deleted_by: by }]);
    }
  }
  return { events, left };
}

function expecting(status: number, answer: Answer): Answer {
  if (answer.status !== status) throw new Error(`expected ${status}, and it was ${answer.status} ${answer.text}`);
  return answer;
}
