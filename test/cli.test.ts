import { randomUUID } from 'node:crypto';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { REDRIVES_TOPIC, topicNames } from '../src/kafka/topics';
import { json, openCli, type CliBench } from './setup/cli';
import { PARTS_TIMEOUT_MS } from './setup/stack';
import { until } from './setup/until';

/** The command line as people and programs see it: what it prints, where, and its exit code. */

let cli: CliBench;
beforeAll(async () => {
  cli = await openCli();
}, PARTS_TIMEOUT_MS);
afterAll(() => cli.close());

describe('a command line that is not understood', () => {
  test.each([[['nonsense']], [['submit', '--wat']], [['task']], [['submit', '--var', 'x']], [['migrate', '--wait', 'x']]])('%j says so and ends with 1', async (args) => {
    const { code, out, err } = await cli.run(args);
    expect([code, out]).toEqual([1, '']);
    expect(err).toMatch(/^FZ_USAGE: .* See npx fazenda --help\.\n$/);
  });

  test('and does so in JSON where that was asked for', async () => {
    const outcome = await cli.run(['--json', 'nonsense']);
    expect([outcome.code, outcome.err]).toEqual([1, '']);
    expect(json(outcome)).toMatchObject({ error: { code: 'FZ_USAGE' } });
  });
});

describe('where nothing runs', () => {
  const nowhere = () => ({ FAZENDA_HOME: cli.home });

  test.each([[['submit']], [['task', randomUUID()]], [['topics']]])('%j says so and ends with 1', async (args) => {
    const { code, err } = await cli.run(args, nowhere());
    expect(code).toBe(1);
    expect(err).toMatch(/^FZ_NOT_RUNNING: .*npm start/);
  });

  test('doctor says what to do, and ends with 1', async () => {
    const outcome = await cli.run(['doctor', '--json'], nowhere());
    expect(outcome.code).toBe(1);
    expect(json(outcome)).toMatchObject({ healthy: false });
    for (const finding of json(outcome).findings as { verdict: string; next?: string }[]) if (finding.verdict === 'bad') expect(finding.next).toBeTruthy();
  });
});

test('migrate makes what is missing, and a second time nothing', async () => {
  const fresh = { ...cli.env, KAFKA_TOPIC_PREFIX: `t-${randomUUID()}.`, S3_BUCKET: `b-${randomUUID()}` };
  const { topics, deadLetters } = topicNames();
  const first = await cli.run(['migrate', '--json'], fresh);
  expect(first).toMatchObject({ code: 0 });
  expect(json(first)).toMatchObject({ PostgreSQL: 'tables are in place', Kafka: `${[...topics, ...deadLetters, REDRIVES_TOPIC].length} topics made`, 'the object store': `bucket ${fresh.S3_BUCKET} is in place` });
  const again = await cli.run(['migrate'], fresh);
  expect(again).toMatchObject({ code: 0 });
  expect(again.out).toContain('Kafka: topics are in place\n');
}, 60_000);

test('migrate waits for a store, and then names the one that stays away', async () => {
  const outcome = await cli.run(['migrate', '--wait', '1', '--json'], { ...cli.env, DATABASE_URL: 'postgres://nobody@127.0.0.1:1/x' });
  expect(outcome.code).toBe(1);
  expect(json(outcome)).toMatchObject({ error: { code: 'FZ_POSTGRES_AWAY' } });
}, 60_000);

describe('a story', () => {
  test('is told step by step, however its id is spelt', async () => {
    const id = randomUUID();
    await cli.stage.store(id, 1, 2, 3);
    const { code, out } = await cli.run(['task', id.toUpperCase()]);
    expect(code).toBe(0);
    const [head, ids, ...lines] = out.trimEnd().split('\n');
    expect(head).toBe(`task ${id} · validating, not over yet · 2.00 s`);
    expect(ids).toMatch(/^correlation \S+ · trace not known$/);
    const stored = lines.map((line) => line.trim().split(/ {2,}/)).filter(([, , teller]) => teller === 'PostgreSQL').map(([, , , what]) => what);
    expect(stored).toEqual([
      expect.stringMatching(/^1 TaskCreated is stored, now pending · .*modelType=local/),
      expect.stringMatching(/^2 TaskAssigned is stored, now processing .* · attempt=1 agentId=agent-1$/),
      expect.stringMatching(/^3 ContentGenerated is stored, now validating .*contentUri=s3:\/\/b\/draft/),
    ]);
    expect(lines.filter((line) => line.includes('is not published yet'))).toHaveLength(3);
    // No API runs here to ask the gateways, which costs nothing but what they know.
    expect(lines.filter((line) => /^gateway cannot be asked: no fazenda runs from .* Start it with npm start/.test(line))).toHaveLength(1);
  });

  test('is one JSON document for programs', async () => {
    const id = randomUUID();
    await cli.stage.store(id, 1, 2, 3, 4, 5);
    const story = json(await cli.run(['task', id, '--json']));
    expect(story).toMatchObject({ taskId: id, status: 'completed', version: 5, done: true });
    expect((story.steps as { version: number }[]).map(({ version }) => version)).toEqual([1, 2, 3, 4, 5]);
  });

  test('that does not exist is not found', async () => {
    const { code, err } = await cli.run(['task', randomUUID()]);
    expect([code, err]).toEqual([1, expect.stringMatching(/^FZ_NOT_FOUND: /)]);
  });
});

test('topics tells partitions, records, retention and how far our groups are behind', async () => {
  const outcome = await cli.run(['topics', '--json']);
  expect(json(outcome)).not.toHaveProperty('error');
  expect(outcome.code).toBe(0);
  const { topics, groups } = json(outcome) as { topics: object[]; groups: object[] };
  expect(topics).toContainEqual({ topic: 'task.assigned', partitions: 12, retentionMs: 90 * 86_400_000, highWatermark: expect.stringMatching(/^\d+$/) as string });
  expect(topics).toContainEqual(expect.objectContaining({ topic: 'task.created.dlq', partitions: 1 }));
  expect(groups).toContainEqual({ group: 'task-cancel-group', topic: 'task.cancel', records: null });
});

test('topics sees a group catch up', async () => {
  const id = randomUUID();
  await cli.stage.store(id, 1, 2);
  await cli.stage.publish(id, 1, 2);
  const gateway = await cli.stage.startGateway();
  await until(async () => {
    const { groups } = json(await cli.run(['topics', '--json'])) as { groups: { group: string; topic: string; records: number | null }[] };
    return groups.some(({ group, topic, records }) => group === 'fazenda-gateway' && topic === 'task.assigned' && records === 0);
  }, 'the gateway has read what was published');
  await gateway.stop();
}, 60_000);

describe('doctor, where something runs', () => {
  const findings = async (more: Readonly<Record<string, string>>) => {
    const outcome = await cli.run(['doctor', '--json'], more);
    const { findings: found } = json(outcome) as { findings: { about: string; verdict: string; said: string }[] };
    return { code: outcome.code, of: (about: string) => found.find((finding) => finding.about === about) };
  };
  const endpoints = (more: object) => {
    const { KAFKA_BROKERS, TEMPORAL_ADDRESS } = cli.env;
    const all = { api: null, kafka: KAFKA_BROKERS, temporal: TEMPORAL_ADDRESS, postgres: cli.env.DATABASE_URL, temporalUi: null, s3: null, redis: null, amqp: null, smtp: null, mailbox: null, schemaRegistry: null, clickhouse: null };
    writeFileSync(join(cli.home, 'endpoints.json'), JSON.stringify({ ...all, ...more }));
  };
  afterEach(() => rmSync(join(cli.home, 'endpoints.json'), { force: true }));

  test('finds all well, and says that facts never expire', async () => {
    endpoints({});
    const { code, of } = await findings(cli.env);
    expect(code).toBe(0);
    const { topics, deadLetters } = topicNames();
    expect(of('topics')).toMatchObject({ verdict: 'good', said: expect.stringContaining(`all ${topics.length + deadLetters.length} are there`) as string });
    expect(of('dedupe window of stories')?.said).toMatch(/never expire/);
    expect(of('postgres')?.said).not.toMatch(/:[^/@]+@/); // No password.
  });

  test('finds topics that are missing and an API that is away', async () => {
    endpoints({ api: 'http://127.0.0.1:1' });
    const { code, of } = await findings({ ...cli.env, KAFKA_TOPIC_PREFIX: `t-${randomUUID()}.` });
    expect(code).toBe(1);
    expect(of('topic task.created')).toMatchObject({ verdict: 'bad', said: 'is missing' });
    expect(of('api')).toMatchObject({ verdict: 'bad' });
  });
});
