import { createServer } from 'node:http';
import { openApi, type TestApi } from './setup/api';
import { json, openCli, type CliBench, type Outcome } from './setup/cli';
import type { GatewayProcess, LiveStage } from './setup/live-stage';
import { PARTS_TIMEOUT_MS } from './setup/stack';
import { failedStoryOf, storyOf } from './setup/story';
import { recordsOfKey } from './setup/topic';
import { until } from './setup/until';

/** `submit` and `submit --watch`, through a real API and gateway; the test plays the stories. */

let cli: CliBench;
let stage: LiveStage;
let gateway: GatewayProcess;
let api: TestApi;
beforeAll(async () => {
  cli = await openCli();
  ({ stage } = cli);
  gateway = await stage.startGateway();
  const { DATABASE_URL = '', KAFKA_TOPIC_PREFIX = '' } = cli.env;
  api = await openApi({ env: { DATABASE_URL, KAFKA_TOPIC_PREFIX, GATEWAY_URL: `http://127.0.0.1:${gateway.port}` } });
}, PARTS_TIMEOUT_MS);
afterAll(async () => {
  await api.close();
  await cli.close();
});

const submit = (args: readonly string[], onLine?: (line: string) => void) => cli.run(['submit', '--api', api.url, ...args], cli.env, onLine);

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

test('--watch outlives a gateway that is killed in the middle, and shows each step once', async () => {
  const steps: string[] = [];
  let id = '';
  const watching = submit(['--watch'], (line) => {
    id ||= /^task (\S+) is accepted$/.exec(line)?.[1] ?? '';
    steps.push(.../^ +(\d) /.exec(line)?.slice(1) ?? []);
  });
  await until(() => id !== '', 'it is accepted');
  await stage.store(id, 1, 2);
  await stage.publish(id, 1, 2);
  await until(() => steps.length === 2, 'it is watched');
  await gateway.kill();
  await stage.store(id, 3, 4);
  gateway = await stage.startGateway({ port: gateway.port });
  await stage.store(id, 5);
  await stage.publish(id, 3, 4, 5);
  expect((await watching).code).toBe(0);
  expect(steps).toEqual(['1', '2', '3', '4', '5']);
}, 60_000);

test('an API that is away is said so', async () => {
  const { code, err } = await cli.run(['submit', '--api', 'http://127.0.0.1:1']);
  expect([code, err]).toEqual([1, expect.stringMatching(/^FZ_API_AWAY: /)]);
});

test('something that is no API is said so', async () => {
  const stranger = createServer((_request, response) => response.writeHead(500).end('<html>'));
  await new Promise<void>((resolve) => stranger.listen(0, '127.0.0.1', resolve));
  const address = stranger.address();
  const { code, err } = await cli.run(['submit', '--api', `http://127.0.0.1:${typeof address === 'object' ? address?.port : 0}`]);
  stranger.close();
  expect([code, err]).toEqual([1, expect.stringMatching(/^FZ_API_AWAY: the API answered 500/)]);
});
