import { randomUUID } from 'node:crypto';
import { readConfig, type Config } from '../src/config';
import { openKafka, clusterName } from '../src/kafka/client';
import { openLog } from '../src/log';
import { registry } from '../src/metrics';
import { openSlipQueue } from '../src/notify/open';
import { DEAD_QUEUE, QUEUE, type Slip, type SlipHandler, type SlipQueue } from '../src/notify/queue';
import { queuesLook } from '../src/observe/queues';
import type { RunningParts } from '../src/runtime/parts';
import { Secret } from '../src/secret';
import { messagesOn, onChannel, startRabbitmq } from './setup/broker';
import { whereRabbitmqIs } from './setup/rabbitmq';
import { PARTS_TIMEOUT_MS, realParts } from './setup/stack';
import { removeTempHomes } from './setup/temp-home';
import { recordsOn } from './setup/topic';
import { until } from './setup/until';

/** The queue of notifications keeps its promises on RabbitMQ and on the Kafka topics that stand in for it. */

interface Dead {
  readonly body: string;
  readonly headers: Readonly<Record<string, unknown>>;
}

/** One kind of queue, and what strangers can see and do at its broker. */
interface Stage {
  open(): SlipQueue;
  dead(): Promise<Dead[]>;
  /** Puts any bytes where slips are. */
  smuggle(bytes: Buffer): Promise<void>;
  close(): Promise<void>;
}

const open: SlipQueue[] = [];

function opened(config: Config): SlipQueue {
  const queue = openSlipQueue(config, openLog(config, 'test'), (reason) => { throw reason; });
  open.push(queue);
  return queue;
}

function slip(): Slip {
  return { ceId: randomUUID(), domain: 'order', aggregateId: 'o-1', event: 'OrderPaid' };
}

let rabbit: RunningParts;

async function onRabbitmq(): Promise<Stage> {
  rabbit = await startRabbitmq();
  const url = rabbit.env.AMQP_URL ?? '';
  const config = readConfig({ AMQP_URL: url, LOG_LEVEL: 'silent' });
  return {
    open: () => opened(config),
    dead: async () => (await messagesOn(url, DEAD_QUEUE)).map(({ text, headers }) => ({ body: text, headers })),
    smuggle: (bytes) => onChannel(url, async (channel) => {
      channel.sendToQueue(QUEUE, bytes);
      await channel.waitForConfirms();
    }),
    async close() {
      await rabbit.stop();
      removeTempHomes();
    },
  };
}

async function onKafka(): Promise<Stage> {
  const { AMQP_URL: _none, ...parts } = await realParts();
  const config = readConfig({ ...parts, KAFKA_TOPIC_PREFIX: `${randomUUID()}.`, LOG_LEVEL: 'silent' });
  return {
    open: () => opened(config),
    dead: async () => (await recordsOn(config, DEAD_QUEUE)).map(({ value, headers }) => ({ body: value, headers })),
    async smuggle(bytes) {
      const producer = openKafka(config, openLog(config, 'stranger')).producer();
      await producer.connect();
      await producer.send({ topic: clusterName(config, QUEUE), messages: [{ key: 'stranger', value: bytes }] });
      await producer.disconnect();
    },
    close: () => Promise.resolve(),
  };
}

afterEach(async () => {
  await Promise.all(open.splice(0).map((queue) => queue.stop()));
});

function promises(stageOf: () => Promise<Stage>): void {
  let stage: Stage;
  beforeAll(async () => (stage = await stageOf()), PARTS_TIMEOUT_MS);
  afterAll(() => stage.close());

  /** Takes slips and remembers when each came. */
  function taker(answer: (one: Slip, times: number) => ReturnType<SlipHandler>): { seen: Map<string, number[]>; handle: SlipHandler } {
    const seen = new Map<string, number[]>();
    return {
      seen,
      handle: (one) => {
        const times = [...(seen.get(one.ceId) ?? []), Date.now()];
        seen.set(one.ceId, times);
        return answer(one, times.length);
      },
    };
  }

  test('hands over all that was put in, whole, also where the taker comes later', async () => {
    const slips = Array.from({ length: 30 }, slip);
    await stage.open().put(slips);
    const got: Slip[] = [];
    await stage.open().take((one) => {
      got.push(one);
      return Promise.resolve({ kind: 'done' });
    });
    await until(() => new Set(got.map(({ ceId }) => ceId)).size >= slips.length, 'all are taken', 30_000);
    expect(new Map(got.map((one) => [one.ceId, one]))).toEqual(new Map(slips.map((one) => [one.ceId, one])));
  }, 60_000);

  test('brings a slip back when its time has come, and not before', async () => {
    const one = slip();
    const { seen, handle } = taker((_, times) => Promise.resolve(times === 1 ? { kind: 'again', afterMs: 1_000 } : { kind: 'done' }));
    const queue = stage.open();
    await queue.take(handle);
    await queue.put([one]);
    await until(() => seen.get(one.ceId)?.length === 2, 'it came again', 30_000);
    const [first = 0, second = 0] = seen.get(one.ceId) ?? [];
    expect(second - first).toBeGreaterThanOrEqual(950);
  }, 60_000);

  test('does not let a long delay hold up a short one', async () => {
    const [long, short] = [slip(), slip()];
    const { seen, handle } = taker((one, times) => {
      if (times > 1) return Promise.resolve({ kind: 'done' });
      return Promise.resolve({ kind: 'again', afterMs: one.ceId === long.ceId ? 60_000 : 1_000 });
    });
    const queue = stage.open();
    await queue.take(handle);
    await queue.put([long]);
    await until(() => seen.get(long.ceId)?.length === 1, 'the long one is put off', 20_000);
    await queue.put([short]);
    await until(() => seen.get(short.ceId)?.length === 2, 'the short one is back', 8_000);
    expect(seen.get(long.ceId)).toHaveLength(1);
  }, 60_000);

  test('puts a dead slip aside with its reason, and what is no slip as it came', async () => {
    const one = slip();
    const queue = stage.open();
    await queue.take((got) => Promise.resolve(got.ceId === one.ceId ? { kind: 'dead', reason: 'perhaps-sent', detail: 'somebody died' } : { kind: 'done' }));
    await queue.put([one]);
    await stage.smuggle(Buffer.from('no slip'));
    await until(async () => (await stage.dead()).length >= 2, 'both are put aside', 30_000, 200);
    const dead = await stage.dead();
    const [known] = dead.filter(({ body }) => body.startsWith('{'));
    expect(JSON.parse(known?.body ?? '')).toMatchObject({ ...one, messageId: `<${one.ceId}@fazenda>`, reason: 'perhaps-sent', detail: 'somebody died' });
    expect(known?.headers).toMatchObject({ reason: 'perhaps-sent', detail: 'somebody died' });
    expect(dead.filter(({ body }) => body === 'no slip')).toMatchObject([{ headers: { reason: 'unreadable' } }]);
  }, 60_000);

  test('brings a slip again whose handler could not say', async () => {
    const one = slip();
    const { seen, handle } = taker((_, times) => (times < 3 ? Promise.reject(new Error('the database is away')) : Promise.resolve({ kind: 'done' })));
    const queue = stage.open();
    await queue.take(handle);
    await queue.put([one]);
    await until(() => seen.get(one.ceId)?.length === 3, 'it came until it was known', 30_000);
  }, 60_000);

  test('lets what is in hand end before it stops', async () => {
    const one = slip();
    let begun = false;
    let release = (): void => undefined;
    const released = new Promise<void>((resolve) => (release = resolve));
    const first = stage.open();
    await first.take(async () => {
      begun = true;
      await released;
      return { kind: 'done' };
    });
    await first.put([one]);
    await until(() => begun, 'it is in hand', 30_000);
    let stopped = false;
    const stopping = first.stop().then(() => (stopped = true));
    // Long enough for a stop that waits for nothing.
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(stopped).toBe(false);
    release();
    await stopping;

    const after: string[] = [];
    const second = stage.open();
    await second.take((got) => {
      after.push(got.ceId);
      return Promise.resolve({ kind: 'done' });
    });
    const last = slip();
    await second.put([last]);
    await until(() => after.includes(last.ceId), 'a later one is taken', 30_000);
    expect(after).not.toContain(one.ceId);
  }, 90_000);
}

describe('on Kafka', () => promises(onKafka));

whereRabbitmqIs()('on RabbitMQ', () => {
  promises(onRabbitmq);

  test('what was confirmed is there after a kill -9 of the broker, and both sides find it again by themselves', async () => {
    const url = rabbit.env.AMQP_URL ?? '';
    const config = readConfig({ AMQP_URL: url, LOG_LEVEL: 'silent' });
    const writer = opened(config);
    const before = Array.from({ length: 200 }, slip);
    await writer.put(before);
    expect((await messagesOn(url, QUEUE)).every(({ persistent }) => persistent)).toBe(true);

    rabbit.kill('rabbitmq');
    await expect(writer.put([slip()])).rejects.toMatchObject({ code: 'FZ_QUEUE_AWAY', kind: { retryable: true } });
    const got = new Set<string>();
    await opened(config).take((one) => {
      got.add(one.ceId);
      return Promise.resolve({ kind: 'done' });
    });
    const after = slip();
    await until(() => writer.put([after]).then(() => true, () => false), 'the writer has found it again', 60_000, 200);
    await until(() => before.every(({ ceId }) => got.has(ceId)) && got.has(after.ceId), 'nothing is lost', 60_000);
  }, 150_000);

  test('says so where the queue itself is gone, and makes it anew', async () => {
    const url = rabbit.env.AMQP_URL ?? '';
    const queue = opened(readConfig({ AMQP_URL: url, LOG_LEVEL: 'silent' }));
    await queue.put([slip()]);
    await onChannel(url, (channel) => channel.deleteQueue(QUEUE));
    await expect(queue.put([slip()])).rejects.toMatchObject({ code: 'FZ_QUEUE_AWAY' });
    const one = slip();
    await until(() => queue.put([one]).then(() => true, () => false), 'it is there again', 20_000, 100);
    expect((await messagesOn(url, QUEUE)).map(({ messageId }) => messageId)).toEqual([one.ceId]);
  }, 60_000);

  test('what waits in its queues is seen from outside, and one that is gone is not shown', async () => {
    const url = rabbit.env.AMQP_URL ?? '';
    const config = readConfig({ AMQP_URL: url, LOG_LEVEL: 'silent' });
    await onChannel(url, (channel) => Promise.all([QUEUE, DEAD_QUEUE].map((queue) => channel.purgeQueue(queue))));
    await opened(config).put([slip(), slip(), slip()]);
    const look = queuesLook(new Secret(url), openLog(config, 'test'));
    const shown = async () => {
      await look.look();
      const { values = [] } = (await registry.getSingleMetric('fazenda_queue_messages')?.get()) ?? {};
      return Object.fromEntries(values.map(({ labels, value }) => [labels.queue, value]));
    };
    await until(async () => (await shown())[QUEUE] === 3, 'three are seen');
    expect((await shown())[DEAD_QUEUE]).toBe(0);
    await onChannel(url, (channel) => channel.deleteQueue(QUEUE));
    expect(Object.keys(await shown())).not.toContain(QUEUE);
    expect((await shown())[DEAD_QUEUE]).toBe(0);
    await look.close?.();
  }, 60_000);
});
