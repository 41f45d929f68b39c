import { randomUUID } from 'node:crypto';
import { Gate } from '../src/ingress/gate';
import { takeChunk } from '../src/ingress/ingress';
import { openLog } from '../src/log';
import { content } from '../workflows/content/definition';
import { fakeProducer } from './setup/fake-producer';
import { created, openTestIngress, type TestIngress } from './setup/ingress';
import { rawRecordsOn } from './setup/raw-records';
import { PARTS_TIMEOUT_MS } from './setup/stack';
import { tcpProxy, type TcpProxy } from './setup/tcp-proxy';
import { until } from './setup/until';

/** What would hit every record is waited out: nothing is lost, nothing dead-lettered, nothing taken beyond a bound. */

type Store = 'TEMPORAL_ADDRESS' | 'DATABASE_URL';
const PARTITIONS = 12;

describe.each<Store>(['TEMPORAL_ADDRESS', 'DATABASE_URL'])('while %s is away', (store) => {
  let wire: TcpProxy;
  let ingress: TestIngress;
  beforeAll(async () => {
    ingress = await openTestIngress(async (own) => {
      const url = new URL(store === 'DATABASE_URL' ? own.DATABASE_URL : `tcp://${own.TEMPORAL_ADDRESS}`);
      wire = await tcpProxy(url.host);
      url.host = `127.0.0.1:${wire.port}`;
      return { [store]: store === 'DATABASE_URL' ? url.href : url.host };
    });
    await ingress.start();
  }, PARTS_TIMEOUT_MS);
  afterAll(async () => {
    await wire.mend();
    await ingress.close();
    await wire.close();
  });

  test('no offset moves and nothing dies; when it is back, everything starts once', async () => {
    const ids = Array.from({ length: 60 }, () => randomUUID() as string);
    await wire.cut();
    for (const [index, id] of ids.entries()) await ingress.write('task.created', [{ key: id, value: created(id) }], index % PARTITIONS);
    await ingress.write('task.created', [{ key: 'x', value: Buffer.from('{') }], 0);
    // The first partitions have been tried, and tried again, in vain; the others wait behind them.
    await until(() => ingress.troubles() > 3, 'what was taken waits', 40_000);
    expect(await ingress.committed()).toBe(0);
    // What can be read waits. What cannot needs no store: it may be parked already, if it came in a chunk of its own.
    expect(Object.keys(await ingress.fates()).filter((fate) => fate !== 'dead_lettered')).toEqual([]);
    expect((await rawRecordsOn(ingress.config, 'task.created.dlq')).filter(({ key }) => String(key) !== 'x')).toEqual([]);

    await wire.mend();
    await ingress.caughtUp();
    expect(await Promise.all(ids.map((id) => ingress.runs(id)))).toEqual(ids.map(() => true));
    expect(await ingress.fates()).toEqual({ started: 60, dead_lettered: 1 });
    expect(await rawRecordsOn(ingress.config, 'task.created.dlq')).toHaveLength(1);
  }, 60_000);

  if (store === 'DATABASE_URL') return;

  test('what comes behind a story that cannot start is stored, and not committed before it', async () => {
    const ids = Array.from({ length: 3 }, () => randomUUID() as string);
    const stored = async () => (await ingress.db.query("SELECT FROM facts WHERE aggregate_id = ANY($1)", [ids])).rowCount;
    const before = await ingress.committed();
    await wire.cut();
    for (const [index, id] of ids.entries()) {
      await ingress.write('task.created', [{ key: id, value: created(id) }], 7);
      await until(async () => (await stored()) === index + 1, `record ${index} is stored`);
    }
    expect(await ingress.committed()).toBe(before);
    await wire.mend();
    await ingress.caughtUp();
    expect(await Promise.all(ids.map((id) => ingress.runs(id)))).toEqual([true, true, true]);
  }, 60_000);
});

describe('a chunk that fails for no fault of its own', () => {
  let ingress: TestIngress;
  beforeAll(async () => (ingress = await openTestIngress()), PARTS_TIMEOUT_MS);
  afterAll(() => ingress.close());

  test('leaves nothing running behind it, and its next try says what the first has started', async () => {
    // The client is a stand-in: it counts the starts in hand, and refuses from the third on until it is told not to.
    let [inHand, begun, refusing] = [0, 0, true];
    const start = async () => {
      inHand += 1;
      begun += 1;
      const refused = refusing && begun > 2;
      await new Promise((resolve) => setTimeout(resolve, 5));
      inHand -= 1;
      if (refused) throw new Error('Temporal is away');
    };
    const temporal = Object.create(ingress.temporal, { workflow: { value: { start } } }) as typeof ingress.temporal;
    const producer = fakeProducer();
    const deps = { config: ingress.config, db: ingress.db, temporal, hint: () => undefined, producer, log: openLog(ingress.config, 'test'), fail: () => undefined };
    const door = content.doors[0]!;
    const entry = { domain: content, door, gate: new Gate(ingress.db, content, 1_000) };
    const ids = Array.from({ length: 200 }, () => randomUUID() as string);
    const records = [...ids.map((id) => created(id)), Buffer.from('{')].map((value, offset) => ({
      topic: door.topic, partition: 0, offset: String(offset), key: null, value, headers: {}, rawHeaders: {}, timestamp: 0,
    }));
    const chunk = { topic: door.topic, partition: 0, records, highWatermark: '201', stale: () => false, letNext: () => undefined };

    await expect(takeChunk(deps, entry, chunk)).rejects.toThrow('Temporal is away');
    const tried = begun;
    expect(inHand).toBe(0);
    expect(tried).toBeLessThan(70);
    expect([await ingress.fates(), producer.given]).toEqual([{}, []]);

    refusing = false;
    await takeChunk(deps, entry, chunk);
    expect(begun - tried).toBe(200);
    expect(await ingress.fates()).toEqual({ started: 200, dead_lettered: 1 });
    expect(producer.given).toHaveLength(1);
  });
});

test('a door takes no more than may work at once, and goes on as stories end', async () => {
  const ingress = await openTestIngress(async () => ({ OPEN_STORIES_MAX: '30', INGRESS_CHUNK_MAX: '10' }));
  try {
    for (let partition = 0; partition < PARTITIONS; partition += 1) {
      const ids = Array.from({ length: 40 }, () => randomUUID() as string);
      await ingress.write('task.created', ids.map((id) => ({ key: id, value: created(id) })), partition);
    }
    await ingress.start();
    const open = async () => (await ingress.db.query<{ open: number }>("SELECT count(*)::int AS open FROM task_view WHERE phase = 'working'")).rows[0]?.open ?? 0;
    // The door is shut when a second of its looks has let nothing more in.
    let [most, since] = [0, Date.now()];
    await until(async () => {
      const now = await open();
      if (now > most) [most, since] = [now, Date.now()];
      return most >= 30 && Date.now() - since > 1_000;
    }, 'the door is shut', 20_000);
    // One chunk of each partition beyond the bound is what memory is sized for.
    expect(most).toBeLessThanOrEqual(30 + PARTITIONS * 10);

    for (let told = 0; told < PARTITIONS * 40; ) {
      await until(async () => (await open()) > 0, 'stories work');
      told += (await ingress.db.query("UPDATE task_view SET phase = 'done' WHERE phase = 'working'")).rowCount ?? 0;
    }
    await ingress.caughtUp();
    expect(await ingress.fates()).toEqual({ started: PARTITIONS * 40 });
  } finally {
    await ingress.close();
  }
});

describe('while the door of new tasks is full', () => {
  let ingress: TestIngress;
  beforeAll(async () => (ingress = await openTestIngress(async () => ({ OPEN_STORIES_MAX: '1' }))), PARTS_TIMEOUT_MS);
  afterAll(() => ingress.close());

  test('a cancel gets in all the same', async () => {
    await ingress.start();
    const [taken, waiting] = [randomUUID(), randomUUID()];
    await ingress.write('task.created', [{ key: taken, value: created(taken) }]);
    await until(async () => (await ingress.fates()).started === 1, 'the first is taken');
    await ingress.write('task.created', [{ key: waiting, value: created(waiting) }]);
    await ingress.write('task.cancel', [{ key: taken, value: JSON.stringify({ taskId: taken }) }]);
    await until(async () => (await ingress.fates()).signalled === 1, 'the cancel is in');
    expect(await ingress.fates()).toEqual({ started: 1, signalled: 1 });
    // Room for the other, so that the door can be closed in order.
    await ingress.db.query("UPDATE task_view SET phase = 'done'");
    await ingress.caughtUp();
  }, 60_000);
});
