import { randomUUID } from 'node:crypto';
import { tellFacts } from '../../src/facts/tell';
import { SHARDS } from '../../src/facts/schema';
import { openCodec } from '../../src/kafka/codec';
import { openLog } from '../../src/log';
import { publishPending } from '../../src/relay/publish';
import { indexPlaces } from '../../src/replay/place-index';
import type { Replay } from '../../src/replay/replay';
import { domainNamed } from '../../workflows/domains';
import type { Fact } from '../../workflows/kernel/fact';
import { fold } from '../../workflows/kernel/lifecycle';
import { openApi, type Answer, type TestApi } from './api';
import { createdOrder } from './orders';
import { STEPS, storyOf } from './story';

export const ADMIN_TOKEN = 'replay-admin';

/** Stories that were told and published as workers and relay do it, and an API to ask about them. */
export interface ToldStage extends TestApi {
  /** Stores facts with their view rows, one after the other. */
  tell(domain: string, id: string, facts: readonly Fact[]): Promise<void>;
  /** Stores whole stories of as many facts each, a statement for all first facts, then for all second ones. */
  tellMany(domain: string, stories: ReadonlyMap<string, readonly Fact[]>): Promise<void>;
  /** Puts everything that is stored on its topic. */
  publish(): Promise<void>;
  /** Fills the index of places to where the topics end now. */
  index(): Promise<void>;
  replay(body: object): Promise<Answer>;
  /** The same where it has to be a 200. */
  replayed(body: object): Promise<Replay>;
  /** Tells a task that goes well and publishes it; gives its id. */
  published(): Promise<string>;
}

/** A task that went well, as `storyOf` tells it: version and event of each step. */
export const WHOLE = STEPS.map(([version, event]) => [version, event]);

export function eventsOf({ steps }: Replay): (string | number)[][] {
  return steps.map(({ version, event }) => [version, event]);
}

const EVERY_SHARD = Array.from({ length: SHARDS }, (_, shard) => shard);
const TOGETHER = 500;

export async function openToldStage(env: Record<string, string> = {}): Promise<ToldStage> {
  const api = await openApi({ env: { FAZENDA_ADMIN_TOKEN: ADMIN_TOKEN, ...env } });
  const { config, db, producer } = api;
  async function tellMany(name: string, stories: ReadonlyMap<string, readonly Fact[]>): Promise<void> {
    const domain = domainNamed(name);
    const all = [...stories];
    for (let from = 0; from < all.length; from += TOGETHER) {
      const some = all.slice(from, from + TOGETHER);
      for (let at = 0; some.some(([, facts]) => at < facts.length); at += 1) {
        await tellFacts(db, domain, some.flatMap(([id, facts]) => {
          const fact = facts[at];
          return fact ? [{ id, fact, after: fold(domain.lifecycle, facts.slice(0, at + 1)) }] : [];
        }));
      }
    }
  }
  async function publish(): Promise<void> {
    while ((await publishPending(db, producer, EVERY_SHARD)) > 0);
  }
  const replay = (body: object) => api.call('POST', '/admin/replay', body, { authorization: `Bearer ${ADMIN_TOKEN}` });
  return {
    ...api,
    tell: (domain, id, facts) => tellMany(domain, new Map([[id, facts]])),
    tellMany,
    publish,
    index: () => indexPlaces({ config, log: openLog(config, 'test'), db, codec: openCodec(config, db) }),
    replay,
    async replayed(body) {
      const { status, json, text } = await replay(body);
      if (status !== 200) throw new Error(`replay answered ${status}: ${text}`);
      return json as object as Replay;
    },
    async published() {
      const id = randomUUID();
      await tellMany('content', new Map([[id, storyOf(id)]]));
      await publish();
      return id;
    },
  };
}

/** An order that was paid, fact by fact. */
export function paidOrder(id: string, edge: 'shop' | 'partner' = 'shop'): Fact[] {
  const created = createdOrder({ id, edge }, '2026-01-01T12:00:01.000Z');
  const at = (second: number) => new Date(Date.UTC(2026, 0, 1, 12, 0, second)).toISOString();
  const { clientId, total } = created.data;
  const facts: Fact[] = [
    { type: 'InventoryReserved', version: 2, at: at(2), data: { orderId: id, items: [{ productId: 'p1', quantity: 1 }] } },
    { type: 'PaymentCaptured', version: 3, at: at(3), data: { orderId: id, amount: '10.00', paymentId: `pay-${id}` } },
    { type: 'OrderPaid', version: 4, at: at(4), data: { orderId: id, clientId, clientName: null, status: 'PAGO', total, updatedAt: at(4) } },
  ];
  return [created, ...facts];
}
