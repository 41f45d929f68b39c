import { randomUUID } from 'node:crypto';
import fc from 'fast-check';
import { Client as PgClient, type Pool } from 'pg';
import { readConfig, type Config } from '../src/config';
import { FazendaError } from '../src/errors';
import { migrate } from '../src/facts/migrate';
import { openPool } from '../src/facts/postgres';
import { SHARDS } from '../src/facts/schema';
import type { Urgency } from '../src/facts/hint';
import { tellFacts, type Telling } from '../src/facts/tell';
import type { OutgoingRecord, Producer } from '../src/kafka/port';
import { openProducer } from '../src/kafka/producer';
import { createTopics } from '../src/kafka/topics';
import { openLog } from '../src/log';
import { publishPending, wavesOf } from '../src/relay/publish';
import { openRelay, type Relay } from '../src/relay/relay';
import { content } from '../workflows/content/definition';
import { fold } from '../workflows/kernel/lifecycle';
import type { ContentFact } from '../workflows/content/lifecycle';
import { ownDatabase } from './setup/database';
import { rawRecordsOn } from './setup/raw-records';
import { PARTS_TIMEOUT_MS, realParts } from './setup/stack';
import { storyOf, tellingsOf } from './setup/story';
import { awaitLeaders } from './setup/topic';
import { expectSameBytes, firstSeen, unreliable } from './setup/unreliable-producer';
import { until } from './setup/until';

/** Whatever fails on the way, every fact is published, and those of an aggregate in the order of their versions. */

const EVERY_SHARD = Array.from({ length: SHARDS }, (_, shard) => shard);
let config: Config;
let db: Pool;
let drop: () => Promise<void>;
let kafka: Producer;
beforeAll(async () => {
  const parts = await realParts();
  config = readConfig({ ...parts, KAFKA_TOPIC_PREFIX: `${randomUUID()}.`, LOG_LEVEL: 'silent' });
  await awaitLeaders(config, await createTopics(config, openLog(config, 'test')));
  kafka = openProducer(config, openLog(config, 'test'), { sendTimeoutMs: 10_000 });
  kafka.start();
  await until(() => kafka.connected, 'the producer has a connection');
}, PARTS_TIMEOUT_MS);
afterAll(() => kafka.stop());
beforeEach(async () => {
  const database = await ownDatabase((await realParts()).DATABASE_URL ?? '');
  config = { ...config, DATABASE_URL: readConfig({ DATABASE_URL: database.url }).DATABASE_URL };
  db = openPool(config, 'test');
  drop = database.drop;
  await migrate(db);
});
afterEach(async () => {
  await db.end();
  await drop();
});

const unpublished = async () => (await db.query<{ left: number }>('SELECT count(*)::int AS left FROM facts WHERE published_at IS NULL')).rows[0]?.left;
const published = () => until(async () => (await unpublished()) === 0, 'everything is published');

/** A story of six facts: the second attempt succeeds. */
function sixFacts(id: string): ContentFact[] {
  const [created, assigned, generated] = storyOf(id) as [ContentFact, ContentFact, ContentFact];
  const failed: ContentFact = { type: 'ValidationFailed', version: 4, at: generated.at, data: { taskId: id, attempt: 1, failures: [] } };
  return [created, assigned, generated, failed, { ...assigned, version: 5 } as ContentFact, { ...generated, version: 6 } as ContentFact];
}

async function tell(id: string, facts: readonly ContentFact[], origin?: string): Promise<void> {
  for (const telling of tellingsOf(id, facts)) await tellFacts(db, content, [{ ...telling, ...(origin && { origin }) }]);
}

async function withRelays(producers: readonly Producer[], work: (relays: readonly Relay[]) => Promise<void>): Promise<void> {
  const relays = producers.map((producer) => openRelay(config, openLog(config, 'relay'), producer));
  for (const relay of relays) relay.start();
  try {
    await work(relays);
  } finally {
    await Promise.all(relays.map((relay) => relay.stop()));
  }
}

test('two transactions that commit in the reverse of their numbers are both published', async () => {
  const [early, late] = [randomUUID(), randomUUID()];
  const holding = new PgClient({ connectionString: config.DATABASE_URL.reveal() });
  await holding.connect();
  await holding.query('BEGIN');
  await tellFacts(holding, content, tellingsOf(early, storyOf(early).slice(0, 1)));
  await tell(late, storyOf(late).slice(0, 2));

  const { producer, log } = unreliable(() => ({ append: true, acknowledge: true }));
  await withRelays([producer], async () => {
    await until(() => log.length === 2, 'the later numbers are published');
    await holding.query('COMMIT');
    await until(() => log.length === 3, 'the earlier number is published');
  });
  await holding.end();
  expect(firstSeen(log)).toEqual(new Map([[late, [1, 2]], [early, [1]]]));
  expect(await unpublished()).toBe(0);
});

test('on a broker: 200 stories told at once come out whole, in order and the same every time', async () => {
  const ids = Array.from({ length: 200 }, () => randomUUID() as string);
  let calls = 0;
  // Every third request is taken by the broker, and its acknowledgement lost; every fifth does not reach it.
  const lossy: Producer = {
    ...kafka,
    connected: true,
    async send(records) {
      calls += 1;
      if (calls % 5 === 0) throw new FazendaError('FZ_KAFKA_AWAY', 'the request was lost');
      await kafka.send(records);
      if (calls % 3 === 0) throw new FazendaError('FZ_KAFKA_AWAY', 'the acknowledgement was lost');
    },
  };
  await withRelays([lossy], async () => {
    await Promise.all(ids.map((id) => tell(id, sixFacts(id))));
    await published();
  });

  const byTopic = new Map<string, string>();
  const count = new Map<string, number>();
  for (const topic of new Set(Object.values(content.topics))) {
    // Of one topic an aggregate may have several versions: those are in order in its partition.
    const last = new Map<string, number>();
    for (const { key, value, headers } of await rawRecordsOn(config, topic)) {
      const [id, ceId, version] = [String(key), String(headers.ce_id), Number(headers.ce_sequence)];
      const bytes = `${id} ${String(value)} ${JSON.stringify(Object.entries(headers).map(([name, held]) => [name, String(held)]))}`;
      if (!byTopic.has(ceId)) {
        expect(version).toBeGreaterThan(last.get(id) ?? 0);
        count.set(id, (count.get(id) ?? 0) + 1);
        last.set(id, version);
      }
      expect(byTopic.get(ceId) ?? bytes).toBe(bytes);
      byTopic.set(ceId, bytes);
    }
  }
  expect(count).toEqual(new Map(ids.map((id) => [id, 6]).sort() as [string, number][]));
});

test('with a producer that fails at random, no version appears before the one it follows', async () => {
  const ids = Array.from({ length: 200 }, () => randomUUID() as string);
  const { producer, log } = unreliable(() => ({ append: Math.random() > 0.004, acknowledge: Math.random() > 0.001 }));
  // Half of them lie there whole when the relay begins, and the others are told meanwhile.
  await Promise.all(ids.slice(100).map((id) => tell(id, sixFacts(id))));
  const telling = Promise.all(ids.slice(0, 100).map((id) => tell(id, sixFacts(id))));
  for (let over = false; !over; ) {
    over = await Promise.race([telling.then(() => true), new Promise<boolean>((resolve) => setTimeout(() => resolve(false), 1))]);
    await publishPending(db, producer, EVERY_SHARD).catch(expectAway);
  }
  while ((await unpublished()) !== 0) await publishPending(db, producer, EVERY_SHARD).catch(expectAway);

  expect(firstSeen(log)).toEqual(new Map([...new Set(log.map(({ key }) => String(key)))].map((id) => [id, [1, 2, 3, 4, 5, 6]])));
  expect(firstSeen(log).size).toBe(200);
  expect(log.length).toBeGreaterThan(1_200);
  expectSameBytes(log);
});

function expectAway(thrown: unknown): void {
  if (!(thrown instanceof FazendaError && thrown.code === 'FZ_KAFKA_AWAY')) throw thrown;
}

test('what the broker acknowledged is not sent again because something behind it fails, however often', async () => {
  const id = randomUUID();
  await tell(id, sixFacts(id));
  let records = 0;
  const { producer, log } = unreliable(() => {
    records += 1;
    return { append: records < 4 || records > 6, acknowledge: true };
  });
  await withRelays([producer], published);
  expect(log.map(({ headers }) => Number(headers.ce_sequence))).toEqual([1, 2, 3, 4, 5, 6]);
});

test('a lone fact that is urgent wakes the relays by its own statement, others by a hint, and one that came by its topic wakes nobody', async () => {
  const listener = new PgClient({ connectionString: config.DATABASE_URL.reveal() });
  await listener.connect();
  let woken = 0;
  const hinted: (Urgency | undefined)[] = [];
  listener.on('notification', () => (woken += 1));
  await listener.query('LISTEN facts');
  const first = (more: Partial<Telling> = {}): Telling => ({ ...tellingsOf(randomUUID(), storyOf())[0]!, ...more });
  const last = (): Telling => first({ after: fold(content.lifecycle, storyOf()) });
  const hint = (urgency?: Urgency) => void hinted.push(urgency);
  try {
    await tellFacts(db, content, [last()], hint);
    await until(() => woken === 1, 'the relays are woken');
    await tellFacts(db, content, [first({ origin: 'task.created/3/14' })], hint);
    await tellFacts(db, content, [first()], hint);
    await tellFacts(db, content, [first(), first()], hint);
    await tellFacts(db, content, [first(), last()], hint);
    await listener.query('SELECT 1');
    expect([woken, hinted]).toEqual([1, ['carried', 'soon', 'soon', 'now']]);
  } finally {
    await listener.end();
  }
});

test('of two relays each fact comes from one, and when a session is killed the other takes over', async () => {
  const ids = Array.from({ length: 60 }, () => randomUUID() as string);
  const log: OutgoingRecord[] = [];
  const well = () => ({ append: true, acknowledge: true });
  const slow = () => 2;
  await withRelays([unreliable(well, slow, log).producer, unreliable(well, slow, log).producer], async () => {
    await Promise.all(ids.map((id) => tell(id, sixFacts(id).slice(0, 3))));
    await published();
    // As long as both live, nothing is sent twice.
    expect(log).toHaveLength(180);
    const telling = Promise.all(ids.map(async (id) => {
      for (const fact of tellingsOf(id, sixFacts(id)).slice(3)) await tellFacts(db, content, [fact]);
    }));
    const { rows } = await db.query<{ pid: number; killed: boolean }>(
      `SELECT pid, pg_terminate_backend(pid) AS killed FROM (
         SELECT DISTINCT pid FROM pg_locks WHERE locktype = 'advisory' AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
         ORDER BY pid LIMIT 1) AS owner`,
    );
    expect(rows.map(({ killed }) => killed)).toEqual([true]);
    await telling;
    await published();
  });
  expect(firstSeen(log)).toEqual(new Map([...firstSeen(log).keys()].map((id) => [id, [1, 2, 3, 4, 5, 6]])));
  expect(firstSeen(log).size).toBe(60);
  expectSameBytes(log);
});

test('a second relay owns nothing until the first is gone, and then everything', async () => {
  const [first, second] = [unreliable(() => ({ append: true, acknowledge: true })), unreliable(() => ({ append: true, acknowledge: true }))];
  const standby = openRelay(config, openLog(config, 'relay'), second.producer);
  try {
    await withRelays([first.producer], async () => {
      await until(async () => (await shardsHeld()) === SHARDS, 'the first holds every shard');
      standby.start();
      const ids = Array.from({ length: 40 }, () => randomUUID() as string);
      await Promise.all(ids.map((id) => tell(id, storyOf(id).slice(0, 1))));
      await published();
      expect([first.log.length, second.log.length]).toEqual([40, 0]);
    });
    const id = randomUUID();
    await tell(id, sixFacts(id));
    await published();
    expect(firstSeen(second.log)).toEqual(new Map([[id, [1, 2, 3, 4, 5, 6]]]));
  } finally {
    await standby.stop();
  }
});

async function shardsHeld(): Promise<number | undefined> {
  const { rows } = await db.query<{ held: number }>(
    `SELECT count(*)::int AS held FROM pg_locks WHERE locktype = 'advisory' AND granted AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`,
  );
  return rows[0]?.held;
}

test('a fact that came in by its own topic is never written there again; those after it are', async () => {
  const id = randomUUID();
  const [created, ...others] = tellingsOf(id, sixFacts(id));
  await tellFacts(db, content, [{ ...created!, origin: 'task.created/3/14' }]);
  for (const telling of others) await tellFacts(db, content, [telling]);
  const { producer, log } = unreliable(() => ({ append: true, acknowledge: true }));
  await publishPending(db, producer, EVERY_SHARD);
  expect(firstSeen(log)).toEqual(new Map([[id, [2, 3, 4, 5, 6]]]));
  expect(await unpublished()).toBe(0);
});

test('a wave holds facts of an aggregate for one topic at most, and waves keep every aggregate’s order', () => {
  const fact = fc.record({ domain: fc.constantFrom('a', 'b'), id: fc.constantFrom('1', '2', '3'), topic: fc.constantFrom('x', 'y') });
  fc.assert(
    fc.property(fc.array(fact, { maxLength: 60 }), (facts) => {
      const numbered = facts.map((one, seq) => ({ ...one, seq }));
      const waves = wavesOf(numbered);
      expect(waves.flat().map(({ seq }) => seq).sort((a, b) => a - b)).toEqual(numbered.map(({ seq }) => seq));
      for (const wave of waves) {
        const topics = new Set(wave.map(({ domain, id, topic }) => `${domain}/${id}/${topic}`));
        expect(topics.size).toBe(new Set(wave.map(({ domain, id }) => `${domain}/${id}`)).size);
      }
      for (const { domain, id } of facts) {
        const own = waves.flat().filter((one) => one.domain === domain && one.id === id).map(({ seq }) => seq);
        expect(own).toEqual([...own].sort((a, b) => a - b));
      }
    }),
    { numRuns: 200 },
  );
});

test('facts of one topic do not wait for each other', () => {
  const facts = ['x', 'x', 'y', 'x'].map((topic, seq) => ({ domain: 'a', id: '1', topic, seq }));
  expect(wavesOf(facts).map((wave) => wave.map(({ seq }) => seq))).toEqual([[0, 1], [2], [3]]);
});
