import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { watchDependencies } from '../src/api/dependencies';
import { serveMetrics } from '../src/metrics';
import { setStanding } from '../src/facts/standing';
import { openApi, type TestApi } from './setup/api';
import { fakeProducer } from './setup/fake-producer';
import { PARTS_TIMEOUT_MS } from './setup/stack';
import { until } from './setup/until';

const up = async () => undefined;
const away = async () => Promise.reject(new Error('connection refused'));

describe('with every part there', () => {
  const home = mkdtempSync(join(tmpdir(), 'fz-ready-'));
  const file = join(home, 'endpoints.json');
  let api: TestApi;
  beforeAll(async () => (api = await openApi({ topics: false, env: { FAZENDA_READY_FILE: file } })), PARTS_TIMEOUT_MS);
  afterAll(async () => {
    await api.close();
    rmSync(home, { recursive: true });
  });

  test('it is ready once the start is complete, and says of each since when', async () => {
    const early = await api.call('GET', '/readyz');
    expect([early.status, early.json.code, early.json.away]).toEqual([503, 'FZ_PROCESS_UNREADY', []]);
    writeFileSync(file, '{}');
    const { status, json } = await api.call('GET', '/readyz');
    expect(status).toBe(200);
    for (const name of ['kafka', 'temporal', 'postgres', 'facts']) {
      expect(json.dependencies).toHaveProperty(name, { state: 'up', since: expect.stringMatching(/^\d{4}-.*Z$/) as string });
    }
  });

  test('a database that has forgotten what the topics tell is no place to read from, and says since when', async () => {
    await setStanding(api.db, 'lost');
    let answer = await api.call('GET', '/readyz');
    await until(async () => (answer = await api.call('GET', '/readyz')).status === 503, 'it is seen');
    const { rows } = await api.db.query<{ changed_at: Date }>('SELECT changed_at FROM store_standing');
    expect([answer.json.away, answer.json.next]).toEqual([['facts'], expect.stringContaining('npx fazenda recover postgres')]);
    expect(answer.json.dependencies).toHaveProperty('facts', { state: 'away', since: rows[0]?.changed_at.toISOString(), reason: expect.stringContaining('recover') as string });
    await setStanding(api.db, 'whole');
    await until(async () => (await api.call('GET', '/readyz')).status === 200, 'it is whole again');
  });

  test('health names the service and who is connected', async () => {
    const { status, json } = await api.call('GET', '/health');
    expect(status).toBe(200);
    expect(json).toMatchObject({ service: 'fazenda', kafka: 'connected', temporal: 'connected', postgres: 'connected' });
  });
});

describe('with one part away', () => {
  let api: TestApi;
  afterEach(() => api.close());

  test.each(['kafka', 'temporal', 'postgres'] as const)('%s: 503 names it, and the process stays alive', async (name) => {
    api = await openApi({ producer: fakeProducer(), checks: { kafka: up, temporal: up, postgres: up, [name]: away } });
    const { status, json, headers } = await api.call('GET', '/readyz');
    expect([status, json.away, headers.get('retry-after')]).toEqual([503, [name], '1']);
    expect(json.detail).toContain(name);
    expect(json.dependencies).toHaveProperty(`${name}.reason`, 'connection refused');
    expect((await api.call('GET', '/livez')).status).toBe(200);
    expect((await api.call('GET', '/health')).json[name]).toBe('disconnected');
  });
});

describe('the watch on a dependency', () => {
  test('keeps the instant of the last change, one look for many questions', async () => {
    let there = true;
    let looks = 0;
    const kafka = async () => (looks++, there ? undefined : Promise.reject(new Error('gone')));
    const watch = watchDependencies({ kafka, temporal: up, postgres: up, facts: up });
    const [first] = await Promise.all(Array.from({ length: 50 }, () => watch.now()));
    expect([first?.kafka.state, looks]).toEqual(['up', 1]);
    await until(async () => ((await watch.now()), looks >= 2), 'it was looked at again');
    expect((await watch.now()).kafka.since).toBe(first?.kafka.since);
    there = false;
    await until(async () => (await watch.now()).kafka.state === 'away', 'its absence is seen');
    expect((await watch.now()).kafka.since).not.toBe(first?.kafka.since);
    watch.stop();
  });

  test('who says nothing is away', async () => {
    const watch = watchDependencies({ kafka: () => new Promise(() => undefined), temporal: up, postgres: up, facts: up });
    expect((await watch.now()).kafka).toMatchObject({ state: 'away', reason: expect.stringContaining('no answer') as string });
    watch.stop();
  });
});

describe('metrics', () => {
  test('of two processes that share a network and a port are both served', async () => {
    const servers = [await serveMetrics(0)];
    const portOf = (one: Server | undefined): number => (one?.address() as AddressInfo).port;
    servers.push(await serveMetrics(portOf(servers[0])));
    expect(new Set(servers.map(portOf)).size).toBe(2);
    for (const one of servers) expect((await fetch(`http://127.0.0.1:${portOf(one)}/metrics`)).status).toBe(200);
    for (const one of servers) one.close();
  });

  test('of this process and its peers are one page, without those that are away', async () => {
    const metric = { name: 'fazenda_test_total', help: 'h', type: 'counter', aggregator: 'sum', values: [{ value: 7, labels: { process: 'peer' } }] };
    const peer = createServer((_request, response) => response.end(JSON.stringify([metric])));
    await new Promise<void>((resolve) => peer.listen(0, '127.0.0.1', resolve));
    const at = `127.0.0.1:${(peer.address() as AddressInfo).port}`;
    const api = await openApi({ producer: fakeProducer(), checks: { kafka: up, temporal: up, postgres: up }, env: { METRICS_PEERS: `named=${at},http://127.0.0.1:1` } });
    await api.call('GET', '/tasks/x');
    const { status, text, headers } = await api.call('GET', '/metrics');
    expect(status).toBe(200);
    expect(headers.get('content-type')).toMatch(/^text\/plain/);
    expect(text).toContain('fazenda_test_total{process="peer"} 7');
    expect(text).toContain('fazenda_process_up{peer="named"} 1');
    expect(text).toContain('fazenda_process_up{peer="http://127.0.0.1:1"} 0');
    expect(text).toMatch(/fazenda_http_request_duration_seconds_count\{method="GET",route="\/tasks\/:id",status="404"\} \d/);
    await api.close();
    peer.close();
  });
});
