import { randomUUID } from 'node:crypto';
import { groupLags } from '../src/cli/lag';
import { GATEWAY_GROUP } from '../src/live/hints';
import { openLog } from '../src/log';
import { ioClient, plainClient, type Client } from './setup/live-clients';
import { openLiveStage, type GatewayProcess, type LiveStage } from './setup/live-stage';
import { PARTS_TIMEOUT_MS, signalPart } from './setup/stack';
import { STEPS } from './setup/story';
import { until } from './setup/until';

/** Live push on real Kafka and Postgres: every version once and in order, whatever arrives, dies or is away. */

const log = openLog({ LOG_LEVEL: 'silent', LOG_FILE: undefined }, 'test');
let stage: LiveStage;
let gateway: GatewayProcess;
const clients: Client[] = [];
beforeAll(async () => {
  stage = await openLiveStage();
  gateway = await stage.startGateway();
}, PARTS_TIMEOUT_MS);
afterEach(async () => {
  await Promise.all(clients.splice(0).map((client) => client.close()));
});
afterAll(() => stage.close());

async function plain(port: number, id: string, lastVersion = 0) {
  const client = await plainClient(`ws://127.0.0.1:${port}/ws/tasks/${id}/status?lastVersion=${lastVersion}`);
  clients.push(client);
  return client;
}

async function socketIo(port: number, id: string, lastVersion = 0) {
  const client = await ioClient(`http://127.0.0.1:${port}`, { auth: { taskId: id, lastVersion } });
  clients.push(client);
  return client;
}

async function startOfPostgres(): Promise<string> {
  const { rows } = await stage.db.query<{ at: string }>('SELECT pg_postmaster_start_time()::text AS at');
  return rows[0]?.at ?? '';
}

const heard = (client: Client) => client.heard.map(({ version, event, status }) => [version, event, status]);

test('facts that arrive in any order over their topics, and twice, are heard in order and once', async () => {
  const id = randomUUID();
  const [web, io] = [await plain(gateway.port, id), await socketIo(gateway.port, id)];
  await stage.store(id, 1, 2, 3, 4, 5);
  await stage.publish(id, 3, 5, 1, 3, 2, 4, 5, 1);
  await Promise.all([web.count(5), io.count(5)]);

  await until(async () => (await groupLags(stage.config, log)).every(({ group, records }) => group !== GATEWAY_GROUP || !records), 'every record is read');
  expect(heard(web)).toEqual(STEPS);
  expect(heard(io)).toEqual(STEPS);
}, 60_000);

test('a database that crashes keeps clients waiting, and connected', async () => {
  const id = randomUUID();
  await stage.store(id, 1);
  const client = await plain(gateway.port, id);
  await client.count(1);
  await stage.store(id, 2, 3);
  const records = await stage.records(id, 2, 3);
  const startedAt = await startOfPostgres();
  signalPart('postgres', 'SIGKILL');
  await stage.producer.send(records);
  await until(async () => (await startOfPostgres().catch(() => startedAt)) !== startedAt, 'the database is back');
  await client.count(3); // What was hinted at while it was away.
  await stage.store(id, 4, 5);
  await stage.publish(id, 4, 5);
  await client.count(5);
  expect(client.closed).toBeUndefined();
  expect(heard(client)).toEqual(STEPS);
}, 90_000);

test('a partner\'s record that comes before it is our fact is heard as version 1 once it is', async () => {
  const id = randomUUID();
  const client = await plain(gateway.port, id);
  const value = Buffer.from(JSON.stringify({
    eventId: 'e', taskId: id, templateId: '00000000-0000-4000-8000-000000000001', priority: 'normal', modelType: 'local', timestamp: 1, userId: 'u',
  }));
  await stage.producer.send([{ topic: 'task.created', key: id, value, headers: {} }]);
  await stage.store(id, 1);
  await client.count(1);
  expect(heard(client)).toEqual(STEPS.slice(0, 1));
}, 60_000);

test('a gateway that is killed in the middle of a story costs its clients no version and doubles none', async () => {
  const id = randomUUID();
  await stage.store(id, 1, 2);
  const before = await plain(gateway.port, id);
  await before.count(2);
  await gateway.kill();
  await before.whenClosed();
  await stage.store(id, 3);
  await stage.publish(id, 1, 2, 3); // Nobody is there to hear it.

  const second = await stage.startGateway({ port: gateway.port });
  const after = await plain(second.port, id, 2);
  await after.count(1);
  await stage.store(id, 4, 5);
  await stage.publish(id, 4, 5);
  await after.count(3);
  expect([...heard(before), ...heard(after)]).toEqual(STEPS);
  expect(await second.stop()).toBe(0);
}, 90_000);
