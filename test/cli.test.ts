import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openApi, type TestApi } from './setup/api';
import { compiled } from './setup/compiled';
import { openLiveStage, type GatewayProcess, type LiveStage } from './setup/live-stage';
import { PARTS_TIMEOUT_MS, realParts } from './setup/stack';
import { failedStoryOf, storyOf } from './setup/story';
import { recordsOfKey } from './setup/topic';

/** The command line as people and programs see it: what it prints, where, and its exit code. */

interface Outcome {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

let entry: string;
let home: string;
let stage: LiveStage;
let gateway: GatewayProcess;
let api: TestApi;
/** What the commands find in the environment: the stage's stores. */
let env: Record<string, string>;

beforeAll(async () => {
  entry = join(await compiled(), 'src', 'cli', 'main.js');
  home = mkdtempSync(join(tmpdir(), 'fazenda-cli-'));
  stage = await openLiveStage();
  const { config } = stage;
  const stores = { DATABASE_URL: config.DATABASE_URL.reveal(), KAFKA_TOPIC_PREFIX: config.KAFKA_TOPIC_PREFIX };
  env = { ...(await realParts()), ...stores, FAZENDA_HOME: home };
  gateway = await stage.startGateway();
  api = await openApi({ env: { ...stores, GATEWAY_URL: `http://127.0.0.1:${gateway.port}` } });
}, PARTS_TIMEOUT_MS);
afterAll(async () => {
  await api.close();
  await stage.close();
  rmSync(home, { recursive: true, force: true });
});

function fazenda(args: readonly string[], more: Record<string, string> = env, onLine: (line: string) => void = () => undefined): Promise<Outcome> {
  return new Promise((resolve) => {
    const child = execFile(process.execPath, [entry, ...args], { env: { PATH: process.env.PATH, ...more } }, (fault, out, err) => {
      resolve({ code: fault ? Number(fault.code) : 0, out, err });
    });
    child.stdout?.on('data', (text: string) => text.split('\n').forEach(onLine));
  });
}

const json = ({ out }: Outcome) => JSON.parse(out) as Record<string, unknown>;

describe('a command line that is not understood', () => {
  test.each([[['nonsense']], [['submit', '--wat']], [['task']], [['submit', '--var', 'x']], [['migrate', '--wait', 'x']]])('%j says so and ends with 1', async (args) => {
    const { code, out, err } = await fazenda(args);
    expect([code, out]).toEqual([1, '']);
    expect(err).toMatch(/^FZ_USAGE: .* See npx fazenda --help\.\n$/);
  });

  test('and does so in JSON where that was asked for', async () => {
    const outcome = await fazenda(['--json', 'nonsense']);
    expect([outcome.code, outcome.err]).toEqual([1, '']);
    expect(json(outcome)).toMatchObject({ error: { code: 'FZ_USAGE' } });
  });
});

describe('where nothing runs', () => {
  const nowhere = () => ({ FAZENDA_HOME: home });

  test.each([[['submit']], [['task', randomUUID()]], [['topics']]])('%j says so and ends with 1', async (args) => {
    const { code, err } = await fazenda(args, nowhere());
    expect(code).toBe(1);
    expect(err).toMatch(/^FZ_NOT_RUNNING: .*npm start/);
  });

  test('doctor says what to do, and ends with 1', async () => {
    const outcome = await fazenda(['doctor', '--json'], nowhere());
    expect(outcome.code).toBe(1);
    expect(json(outcome)).toMatchObject({ healthy: false });
    for (const finding of json(outcome).findings as { verdict: string; next?: string }[]) if (finding.verdict === 'bad') expect(finding.next).toBeTruthy();
  });
});

test('migrate makes what is missing, and a second time nothing', async () => {
  const fresh = { ...env, KAFKA_TOPIC_PREFIX: `t-${randomUUID()}.`, S3_BUCKET: `b-${randomUUID()}` };
  const first = await fazenda(['migrate', '--json'], fresh);
  expect(first).toMatchObject({ code: 0 });
  expect(json(first)).toMatchObject({ PostgreSQL: 'tables are in place', Kafka: '11 topics made', 'the object store': `bucket ${fresh.S3_BUCKET} is in place` });
  const again = await fazenda(['migrate'], fresh);
  expect(again).toMatchObject({ code: 0 });
  expect(again.out).toContain('Kafka: topics are in place\n');
}, 60_000);

test('migrate waits for a store, and then names the one that stays away', async () => {
  const outcome = await fazenda(['migrate', '--wait', '1', '--json'], { ...env, DATABASE_URL: 'postgres://nobody@127.0.0.1:1/x' });
  expect(outcome.code).toBe(1);
  expect(json(outcome)).toMatchObject({ error: { code: 'FZ_POSTGRES_AWAY' } });
}, 60_000);

describe('a story', () => {
  test('is told step by step, however its id is spelt', async () => {
    const id = randomUUID();
    await stage.store(id, 1, 2, 3);
    const { code, out } = await fazenda(['task', id.toUpperCase()]);
    expect(code).toBe(0);
    const [head, ...steps] = out.trimEnd().split('\n');
    expect(head).toBe(`task ${id} · validating, not over yet · 2.00 s`);
    expect(steps.map((line) => line.trim().split(/ {2,}/))).toEqual([
      ['1', '12:00:01.000', 'TaskCreated', 'pending', expect.stringContaining('modelType=local')],
      ['2', '12:00:02.000', '+1.00 s', 'TaskAssigned', 'processing', 'attempt=1 agentId=agent-1'],
      ['3', '12:00:03.000', '+1.00 s', 'ContentGenerated', 'validating', expect.stringContaining('contentUri=s3://b/draft')],
    ]);
  });

  test('is one JSON document for programs', async () => {
    const id = randomUUID();
    await stage.store(id, 1, 2, 3, 4, 5);
    const story = json(await fazenda(['task', id, '--json']));
    expect(story).toMatchObject({ taskId: id, status: 'completed', version: 5, done: true });
    expect((story.steps as { version: number }[]).map(({ version }) => version)).toEqual([1, 2, 3, 4, 5]);
  });

  test('that does not exist is not found', async () => {
    const { code, err } = await fazenda(['task', randomUUID()]);
    expect([code, err]).toEqual([1, expect.stringMatching(/^FZ_NOT_FOUND: /)]);
  });
});

describe('submit', () => {
  const submit = (args: readonly string[], onLine?: (line: string) => void) => fazenda(['submit', '--api', api.url, ...args], env, onLine);

  /** Plays the rest of the story as soon as the command says which task it is. */
  async function played(args: readonly string[], storyFor: (id: string) => ReturnType<typeof storyOf>): Promise<Outcome> {
    let begun: Promise<void> | undefined;
    const outcome = await submit(args, (line) => {
      const [, id] = /^task (\S+) is accepted$/.exec(line) ?? [];
      if (id) begun = play(id, storyFor(id));
    });
    await begun;
    return outcome;
  }

  async function play(id: string, story: ReturnType<typeof storyOf>): Promise<void> {
    stage.plan(id, story);
    for (const { version } of story) {
      await stage.store(id, version);
      await stage.publish(id, version);
    }
  }

  test('sends what it is told, and gives the answer', async () => {
    const id = await submit(['--json', '--model', 'scripted', '--priority', 'high', '--template', 'free-text', '--var', 'drafts=["a","b"]', '--var', 'prompt=say = it']);
    expect(id.code).toBe(0);
    const { taskId, status } = json(id);
    expect(status).toBe('pending');
    const [record] = await recordsOfKey(stage.config, 'task.created', String(taskId));
    expect(JSON.parse(record?.value ?? '{}')).toMatchObject({
      templateId: '00000000-0000-4000-8000-000000000003', modelType: 'scripted', priority: 'high', variables: { drafts: ['a', 'b'], prompt: 'say = it' },
    });
  }, 30_000);

  test('what the API refuses is said with its code', async () => {
    const { code, err } = await submit(['--model', 'nobody']);
    expect([code, err]).toEqual([1, expect.stringMatching(/^FZ_REFERENCE_UNKNOWN: /)]);
  });

  test('--watch shows each step until it is over, and ends with 0', async () => {
    const { code, out } = await played(['--watch'], storyOf);
    expect(code).toBe(0);
    const events = out.split('\n').flatMap((line) => /^ +\d+ .* (Task\w+|Content\w+) /.exec(line)?.[1] ?? []);
    expect(events).toEqual(['TaskCreated', 'TaskAssigned', 'ContentGenerated', 'ContentValidated', 'ContentStored']);
    expect(out).toMatch(/\ncompleted after 4\.00 s\. Its story: npx fazenda task /);
  }, 30_000);

  test('--watch of a task that ends badly ends with 1', async () => {
    const { code, out } = await played(['--watch'], failedStoryOf);
    expect(code).toBe(1);
    expect(out).toMatch(/\nfailed after /);
  }, 30_000);

  test('an API that is away is said so', async () => {
    const { code, err } = await fazenda(['submit', '--api', 'http://127.0.0.1:1']);
    expect([code, err]).toEqual([1, expect.stringMatching(/^FZ_API_AWAY: /)]);
  });

  test('something that is no API is said so', async () => {
    const stranger = createServer((_request, response) => response.writeHead(500).end('<html>'));
    await new Promise<void>((resolve) => stranger.listen(0, '127.0.0.1', resolve));
    const address = stranger.address();
    const { code, err } = await fazenda(['submit', '--api', `http://127.0.0.1:${typeof address === 'object' ? address?.port : 0}`]);
    stranger.close();
    expect([code, err]).toEqual([1, expect.stringMatching(/^FZ_API_AWAY: the API answered 500/)]);
  });
});

test('topics tells partitions, records, retention and how far our groups are behind', async () => {
  const outcome = await fazenda(['topics', '--json']);
  expect(outcome.code).toBe(0);
  const { topics, groups } = json(outcome) as { topics: object[]; groups: object[] };
  expect(topics).toContainEqual({ topic: 'task.assigned', partitions: 12, retentionMs: 90 * 86_400_000, highWatermark: expect.stringMatching(/^\d+$/) as string });
  expect(topics).toContainEqual(expect.objectContaining({ topic: 'task.created.dlq', partitions: 1 }));
  expect(groups).toContainEqual({ group: 'task-assignment-group', topic: 'task.cancel', records: null });
  expect(groups).toContainEqual({ group: 'fazenda-gateway', topic: 'task.assigned', records: expect.any(Number) as number });
});

describe('doctor, where something runs', () => {
  const findings = async (more: Record<string, string>) => {
    const outcome = await fazenda(['doctor', '--json'], more);
    const { findings: found } = json(outcome) as { findings: { about: string; verdict: string; said: string }[] };
    return { code: outcome.code, of: (about: string) => found.find((finding) => finding.about === about) };
  };
  const endpoints = (more: object) => {
    const { KAFKA_BROKERS, TEMPORAL_ADDRESS } = env;
    const all = { api: null, kafka: KAFKA_BROKERS, temporal: TEMPORAL_ADDRESS, postgres: env.DATABASE_URL, temporalUi: null, s3: null, redis: null, schemaRegistry: null, clickhouse: null };
    writeFileSync(join(home, 'endpoints.json'), JSON.stringify({ ...all, ...more }));
  };
  afterEach(() => rmSync(join(home, 'endpoints.json'), { force: true }));

  test('finds all well, and says that facts never expire', async () => {
    endpoints({});
    const { code, of } = await findings(env);
    expect(code).toBe(0);
    expect(of('topics')).toMatchObject({ verdict: 'good', said: expect.stringContaining('all 11 are there') as string });
    expect(of('dedupe window of stories')?.said).toMatch(/never expire/);
    expect(of('postgres')?.said).not.toMatch(/:[^/@]+@/); // No password.
  });

  test('finds topics that are missing and an API that is away', async () => {
    endpoints({ api: 'http://127.0.0.1:1' });
    const { code, of } = await findings({ ...env, KAFKA_TOPIC_PREFIX: `t-${randomUUID()}.` });
    expect(code).toBe(1);
    expect(of('topic task.created')).toMatchObject({ verdict: 'bad', said: 'is missing' });
    expect(of('api')).toMatchObject({ verdict: 'bad' });
  });
});
