import fc from 'fast-check';
import { openLog } from '../src/log';
import { SHARDS } from '../src/facts/schema';
import { FazendaError } from '../src/errors';
import { publishPending } from '../src/relay/publish';
import { openRelay, type Relay } from '../src/relay/relay';
import { openApi, type TestApi } from './setup/api';
import { fakeProducer } from './setup/fake-producer';
import { itemCalls, makeCalls, type ItemEvent, type Made } from './setup/item-calls';
import { hear, type Listener } from './setup/listener';
import { PARTS_TIMEOUT_MS } from './setup/stack';
import { recordsOn } from './setup/topic';
import { expectSameBytes, unreliable } from './setup/unreliable-producer';
import { until } from './setup/until';

/** Properties 4 to 7 of S2; 1 to 3 are in kafka-lifecycle.test.ts. */
const RUNS = { numRuns: 100 };
/** Each takes a few seconds; a machine may be busy. */
const LIMIT_MS = 120_000;
const TOKEN = 'the-admin-token';
const asAdmin = { authorization: `Bearer ${TOKEN}` };
const EVERY_SHARD = Array.from({ length: SHARDS }, (_, shard) => shard);
const up = async () => undefined;

async function expectLeft(api: TestApi, { events, left }: Made): Promise<void> {
  for (const id of events.keys()) {
    const { status, json } = await api.call('GET', `/v1/items/${id}`);
    expect([status, status === 200 && { name: json.name, sku: json.sku }]).toEqual(left.has(id) ? [200, left.get(id)] : [404, false]);
  }
}

describe('with Kafka', () => {
  let api: TestApi;
  let relay: Relay;
  let published: Listener;
  let told: Listener;
  beforeAll(async () => {
    api = await openApi({ env: { FAZENDA_ADMIN_TOKEN: TOKEN } });
    [published, told] = await Promise.all([hear(api.config, 'test-events'), hear(api.config, 'items-events')]);
    relay = openRelay(api.config, openLog(api.config, 'relay'), api.producer);
    relay.start();
  }, PARTS_TIMEOUT_MS);
  afterAll(async () => {
    await relay.stop();
    await Promise.all([published.stop(), told.stop()]);
    await api.close();
  });

  const name = fc.string({ unit: 'binary', maxLength: 20 }).filter((one) => !one.includes('\u0000'));
  const text = fc.string({ unit: 'binary', maxLength: 60 }).filter((one) => !one.includes('\u0000'));
  const value = fc.jsonValue({ maxDepth: 4, stringUnit: 'grapheme' }).filter((one) => !JSON.stringify(one).includes('\\u0000'));

  test('4: any message comes back exactly as it was published: payload, key and headers', async () => {
    const message = fc.record({ payload: fc.dictionary(name, value), key: fc.option(text), headers: fc.option(fc.dictionary(name, text)) });
    await fc.assert(fc.asyncProperty(message, async (given) => {
      const { status, json } = await api.call('POST', '/kafka/publish', given, asAdmin);
      expect([status, json.topic]).toEqual([200, 'test-events']);
      const { message: kept } = await published.at(Number(json.partition), String(json.offset));
      // As text: an object with a member `__proto__` is easily compared without it.
      expect(String(kept.value)).toBe(JSON.stringify(given.payload));
      expect(kept.key === null ? null : String(kept.key)).toBe(given.key);
      expect(pairsOf(kept.headers ?? {})).toEqual(pairsOf(given.headers ?? {}));
      expect(json.timestamp).toBe(new Date(Number(kept.timestamp)).toISOString());
    }), RUNS);
  }, LIMIT_MS);

  test('5: every call that changes an item has its event on the topic, once, in the order of the calls', async () => {
    await fc.assert(fc.asyncProperty(itemCalls, async (calls) => {
      const made = await makeCalls(api, calls);
      const wanted = [...made.events.values()].flat().length;
      const ofThese = () => told.heard.filter(({ message }) => made.events.has(String(message.key)));
      await until(() => ofThese().length >= wanted, `${wanted} events are heard`, undefined, 2);
      const heard = new Map([...made.events.keys()].map((id): [string, ItemEvent[]] => [id, []]));
      for (const { message } of ofThese()) heard.get(String(message.key))?.push([String(message.headers?.event_type), JSON.parse(String(message.value))]);
      expect(heard).toEqual(made.events);
      await expectLeft(api, made);
    }), RUNS);
  }, LIMIT_MS);
});

function pairsOf(headers: object): [string, string][] {
  return Object.entries(headers).map(([name, held]): [string, string] => [name, String(held)]).sort(([one], [other]) => (one < other ? -1 : 1));
}

test('6: disabled means silent: every call does the same, and no event is told, then or later', async () => {
  const api = await openApi({ env: { OBSERVABILITY__KAFKA_ENABLED: 'false' } });
  try {
    await fc.assert(fc.asyncProperty(itemCalls, async (calls) => expectLeft(api, await makeCalls(api, calls))), RUNS);
    expect(await publishPending(api.db, api.producer, EVERY_SHARD)).toBe(0);
    expect(await recordsOn(api.config, 'items-events')).toEqual([]);
  } finally {
    await api.close();
  }
}, PARTS_TIMEOUT_MS);

test('7: however publishing fails, no call does; and no event is lost or out of order when it works again', async () => {
  const kafka = fakeProducer();
  const api = await openApi({ producer: kafka, checks: { kafka: up, temporal: up, postgres: up } });
  const mood = fc.constantFrom('away' as const, 'refuses' as const, 'hangs' as const);
  const fates = fc.array(fc.record({ append: fc.boolean(), acknowledge: fc.boolean() }), { maxLength: 12 });
  try {
    await fc.assert(fc.asyncProperty(itemCalls, mood, fates, async (calls, how, fatesOfRun) => {
      const script = [...fatesOfRun];
      kafka.mood = how;
      const { producer, log } = unreliable(() => script.shift() ?? { append: true, acknowledge: true });
      const publish = () => publishPending(api.db, producer, EVERY_SHARD).catch(whileAway);
      const making = makeCalls(api, calls);
      // What a relay does meanwhile, without the pauses that it makes.
      for (let over = false; !over; over = await Promise.race([making.then(() => true), publish().then(() => false)]));
      const made = await making;
      while ((await publish()) !== 0);
      expect(firstsOf(log)).toEqual(made.events);
      expectSameBytes(log);
      expect(kafka.given).toEqual([]);
      await expectLeft(api, made);
    }), RUNS);
  } finally {
    await api.close();
  }
}, PARTS_TIMEOUT_MS);

function whileAway(thrown: unknown): number {
  if (!(thrown instanceof FazendaError && thrown.code === 'FZ_KAFKA_AWAY')) throw thrown;
  return Number.NaN;
}

/** Each event of each item, by its first appearance. */
function firstsOf(log: ReturnType<typeof unreliable>['log']): Map<string, ItemEvent[]> {
  const seen = new Set<string>();
  const events = new Map<string, ItemEvent[]>();
  for (const { key, value, headers } of log) {
    const [id, ceId] = [String(key), String(headers.ce_id)];
    if (!seen.has(ceId)) events.set(id, [...(events.get(id) ?? []), [String(headers.event_type), JSON.parse(String(value))]]);
    seen.add(ceId);
  }
  return events;
}
