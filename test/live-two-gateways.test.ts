import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { openGateway, type Gateway } from '../src/live/gateway';
import { RedisFanOut, redisAdapter } from '../src/live/redis-fanout';
import type { Pushes } from '../src/path/pushes';
import { startParts, type RunningParts } from '../src/runtime/parts';
import { ioClient, plainClient, type Client } from './setup/live-clients';
import { openLiveStage, type GatewayProcess, type LiveStage } from './setup/live-stage';
import { MemoryStore } from './setup/memory-store';
import { PARTS_TIMEOUT_MS } from './setup/stack';
import { STEPS, storyOf } from './setup/story';
import { until } from './setup/until';

/** Two gateways over a real Redis: whichever of them reads a record, clients of both hear the story, once. */

let home: string;
let redis: RunningParts;
const clients: Client[] = [];
beforeAll(async () => {
  home = mkdtempSync(join(tmpdir(), 'fazenda-redis-'));
  redis = await startParts({ home, parts: ['redis'], env: process.env });
}, PARTS_TIMEOUT_MS);
afterEach(async () => {
  await Promise.all(clients.splice(0).map((client) => client.close()));
});
afterAll(async () => {
  await redis.stop();
  rmSync(home, { recursive: true, force: true });
});

const heard = (client: Client) => client.heard.map(({ version, event, status }) => [version, event, status]);

function kept<Kind extends Client>(client: Kind): Kind {
  clients.push(client);
  return client;
}

describe('as processes that share the partitions', () => {
  let stage: LiveStage;
  let gateways: GatewayProcess[];
  beforeAll(async () => {
    stage = await openLiveStage();
    const env = { REDIS_URL: redis.env.REDIS_URL ?? '' };
    gateways = await Promise.all([stage.startGateway({ env }), stage.startGateway({ env })]);
  }, PARTS_TIMEOUT_MS);
  afterAll(() => stage.close());

  test('every subscriber of both hears everything, every version once and in order', async () => {
    const ids = Array.from({ length: 12 }, () => randomUUID());
    const all = await Promise.all(
      gateways.flatMap(({ port }) => ids.flatMap((id) => [
        plainClient(`ws://127.0.0.1:${port}/ws/tasks/${id}/status`).then(kept),
        ioClient(`http://127.0.0.1:${port}`, { auth: { taskId: id } }).then(kept),
      ])),
    );
    for (const id of ids) await stage.store(id, 1, 2, 3, 4, 5);
    for (const id of ids) await stage.publish(id, 2, 1, 4, 3, 5);
    await Promise.all(all.map((client) => client.count(5)));
    for (const client of all) expect(heard(client)).toEqual(STEPS);

    // Either of them, when asked what was pushed, tells what both of them pushed.
    const [id = ''] = ids;
    for (const { port } of gateways) {
      const pushes = (await (await fetch(`http://127.0.0.1:${port}/pushes/content/${id}`)).json()) as Pushes;
      expect(pushes).toMatchObject({ gateways: 2, following: 4 });
      expect(pushes.pushed.map(({ version, times }) => [version, times])).toEqual([1, 2, 3, 4, 5].map((version) => [version, 4]));
    }
  }, 60_000);

  test('when one is killed, the other goes on with all of it', async () => {
    const id = randomUUID();
    const [first, second] = gateways as [GatewayProcess, GatewayProcess];
    const survivor = kept(await plainClient(`ws://127.0.0.1:${second.port}/ws/tasks/${id}/status`));
    await first.kill();
    await stage.store(id, 1, 2, 3, 4, 5);
    await stage.publish(id, 1, 2, 3, 4, 5);
    await survivor.count(5);
    expect(heard(survivor)).toEqual(STEPS);
    expect(await second.stop()).toBe(0);
  }, 60_000);
});

describe('with the reading of records played by the test', () => {
  const store = new MemoryStore();
  const gateways: Gateway[] = [];
  const fanOuts: RedisFanOut[] = [];
  const closers: (() => void)[] = [];
  beforeAll(async () => {
    for (const _each of [0, 1]) {
      const options = { url: redis.env.REDIS_URL ?? '', prefix: `${home}.`, onTrouble: () => undefined };
      const fanOut = new RedisFanOut(options);
      const { adapter, close } = redisAdapter(options);
      fanOuts.push(fanOut);
      // No recheck: what is told here is told by Redis, or by the doubt after it was away.
      const limits = { recheckEveryMs: 3_600_000, retryFirstMs: 5 };
      gateways.push(await openGateway({ store, fanOut, port: 0, limits, adapter, onTrouble: () => undefined }));
      closers.push(close);
    }
  });
  afterAll(async () => {
    for (const gateway of gateways) await gateway.close();
    for (const fanOut of fanOuts) await fanOut.close();
    for (const close of closers) close();
  });

  const tell = (at: number, id: string, version: number) => fanOuts[at]!.tell([{ domain: 'content', id, version }]);
  const follow = async (at: number, id: string) => kept(await plainClient(`ws://127.0.0.1:${gateways[at]!.port}/ws/tasks/${id}/status`));

  test('what one reads, the clients of the other hear', async () => {
    const id = randomUUID();
    const client = await follow(1, id);
    store.put(id, ...storyOf(id).slice(0, 2));
    tell(0, id, 2);
    await client.count(2);
    tell(1, id, 1);
    tell(0, id, 2);
    store.put(id, ...storyOf(id).slice(2));
    tell(0, id, 5);
    await client.count(5);
    expect(heard(client)).toEqual(STEPS);
  });

  test('while Redis is away each serves its own clients, and what others missed is made up for when it is back', async () => {
    const [id, told] = [randomUUID(), randomUUID()];
    const story = storyOf(id);
    store.put(told, ...storyOf(told));
    const [own, other] = [await follow(0, id), await follow(1, id)];
    store.put(id, story[0]!);
    tell(0, id, 1);
    await Promise.all([own.count(1), other.count(1)]);

    redis.kill('redis');
    store.put(id, ...story.slice(1, 4));
    tell(0, id, 4); // The connection may not know yet that it is dead: the word is lost either way.
    await own.count(4);
    const late = await follow(1, told);
    await late.count(5); // Who comes meanwhile is told what is stored.
    await other.count(4);

    store.put(id, story[4]!);
    tell(0, id, 5);
    await Promise.all([own.count(5), other.count(5)]);
    for (const client of [own, other, late]) expect(heard(client)).toEqual(STEPS);
  }, 30_000);

  test.each([
    ['pubsub', 'one that could not hear looks again when it can'],
    ['normal', 'one that could not tell makes the others look'],
  ])('when Redis drops its %s connections, %s', async (type) => {
    const id = randomUUID();
    const other = await follow(1, id);
    store.put(id, storyOf(id)[0]!);
    tell(0, id, 1);
    await other.count(1);
    store.put(id, ...storyOf(id).slice(1));
    const admin = new Redis(redis.env.REDIS_URL ?? '');
    await admin.client('KILL', 'TYPE', type as 'normal').finally(() => admin.disconnect());
    tell(0, id, 5);
    await other.count(5);
    expect(heard(other)).toEqual(STEPS);
  }, 30_000);

  test('a Socket.IO room has the members of both', async () => {
    const id = randomUUID();
    for (const { port } of gateways) kept(await ioClient(`http://127.0.0.1:${port}`, { auth: { taskId: id } }));
    await until(async () => (await gateways[0]!.io.in(`/ws/tasks/${id}/status`).fetchSockets()).length === 2, 'both are in the room');
  }, 30_000);
});

test('a gateway whose Redis was never there serves its own clients', async () => {
  const store = new MemoryStore();
  const fanOut = new RedisFanOut({ url: 'redis://127.0.0.1:1', prefix: '', onTrouble: () => undefined });
  const gateway = await openGateway({ store, fanOut, port: 0, onTrouble: () => undefined });
  const id = randomUUID();
  const client = kept(await plainClient(`ws://127.0.0.1:${gateway.port}/ws/tasks/${id}/status`));
  store.put(id, ...storyOf(id));
  fanOut.tell([{ domain: 'content', id, version: 5 }]);
  try {
    await client.count(5);
    expect(heard(client)).toEqual(STEPS);
  } finally {
    await gateway.close();
    await fanOut.close();
  }
});
