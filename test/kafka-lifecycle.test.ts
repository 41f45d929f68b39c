import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import type { Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import fc from 'fast-check';
import { BROKEN, brokenBroker } from './setup/broken-broker';
import { startApi, type RunningApi } from './setup/running';
import { configOn } from './setup/port';
import { PARTS_TIMEOUT_MS, realParts } from './setup/stack';
import { until } from './setup/until';

/** Properties 1 to 3 of S2: a start respects its settings and survives a broken broker, a shutdown closes. */
const RUNS = { numRuns: 100 };
/** What a process has for its stop is 8 s. */
const STOP_MS = 7_000;
/** Starts whose end is still to come. */
const AT_ONCE = 30;
const TOKEN = 'the-admin-token';
const NOT_CONFIGURED = 'Kafka not configured. Set OBSERVABILITY__KAFKA_ENABLED=true';
let parts: Readonly<Record<string, string>>;
let broker: string;
beforeAll(async () => {
  const real = await realParts();
  broker = real.KAFKA_BROKERS ?? '';
  parts = { ...real, KAFKA_TOPIC_PREFIX: (await configOn(broker)).KAFKA_TOPIC_PREFIX };
}, PARTS_TIMEOUT_MS);

const start = (env: Record<string, string>) => startApi({ ...parts, FAZENDA_ADMIN_TOKEN: TOKEN, ...env });
const get = async (url: string, path: string) => (await fetch(`${url}${path}`)).json() as Promise<Record<string, unknown>>;
async function publish(url: string): Promise<{ status: number; detail: unknown }> {
  const headers = { 'content-type': 'application/json', authorization: `Bearer ${TOKEN}` };
  const answer = await fetch(`${url}/kafka/publish`, { method: 'POST', headers, body: '{"payload":{}}' });
  return { status: answer.status, detail: ((await answer.json()) as Record<string, unknown>).detail };
}

test('1: a start respects its settings, whichever they are', async () => {
  const settings = fc.record({
    enabled: fc.boolean(),
    clientId: fc.stringMatching(/^[\w.-]{1,30}$/),
    // The first of them is looked for first; a list may name some that are away.
    list: fc.constantFrom((one: string) => one, (one: string) => ` ${one} ,`, (one: string) => `${one},127.0.0.1:1`, (one: string) => `127.0.0.1:1, ${one}`),
  });
  await fc.assert(fc.asyncProperty(settings, async ({ enabled, clientId, list }) => {
    const api = await start({ OBSERVABILITY__KAFKA_ENABLED: String(enabled), KAFKA_CLIENT_ID: clientId, KAFKA_BROKERS: list(broker) });
    try {
      const servers = list(broker).split(',').map((one) => one.trim()).filter(Boolean);
      const of = (connected: boolean) => (enabled ? { enabled, connected, client_id: clientId, bootstrap_servers: servers } : { enabled, connected: false, client_id: null, bootstrap_servers: null });
      let status: unknown;
      await until(async () => ((status = await get(api.url, '/kafka/status')), !enabled || (status as { connected: boolean }).connected), 'it is connected', undefined, 2);
      expect(status).toEqual(of(true));
      if (!enabled) expect(await publish(api.url)).toEqual({ status: 503, detail: NOT_CONFIGURED });
    } finally {
      await api.stop();
    }
  }), RUNS);
}, 120_000);

test('2: a start survives a broken broker: it is logged, HTTP is there and says so, and a stop is not held up', async () => {
  // Who says nothing is waited for; a few of those are enough.
  const broken = fc.oneof({ weight: 29, arbitrary: fc.constantFrom(...BROKEN.slice(0, 2)) }, { weight: 1, arbitrary: fc.constantFrom(...BROKEN.slice(2)) });
  const open: Promise<void>[] = [];
  const faults: unknown[] = [];
  await fc.assert(fc.asyncProperty(broken, async (how) => {
    const fake = await brokenBroker(how);
    const api = await start({ KAFKA_BROKERS: fake.address });
    expect((await fetch(`${api.url}/livez`)).status).toBe(200);
    expect(await get(api.url, '/health')).toMatchObject({ service: 'fazenda', kafka: 'disconnected' });
    expect(await get(api.url, '/kafka/status')).toMatchObject({ enabled: true, connected: false, bootstrap_servers: [fake.address] });
    expect((await publish(api.url)).status).toBe(503);
    // A client tries three times before it says so: the next start need not wait for that.
    open.push(ending(how, fake, api).catch((fault: unknown) => void faults.push(fault)));
    if (open.length > AT_ONCE) await open.shift();
    expect(faults).toEqual([]);
  }), RUNS);
  await Promise.all(open);
  expect(faults).toEqual([]);
}, 120_000);

async function ending(how: string, fake: { close(): Promise<void> }, api: RunningApi): Promise<void> {
  const logged = () => api.logged.some(({ level, msg }) => level === 'warn' && msg.startsWith('Kafka is away'));
  try {
    await until(logged, `it is logged that the broker ${how}`);
  } finally {
    const began = performance.now();
    await api.stop();
    await fake.close();
    expect(performance.now() - began).toBeLessThan(STOP_MS);
  }
}

test('3: whenever it is shut down, whatever is in hand is answered first, and no connection to the broker is left', async () => {
  const opened: Socket[] = [];
  let answered = 0;
  const note = (message: unknown) => void opened.push((message as { socket: Socket }).socket);
  subscribe('net.client.socket', note);
  const port = Number(broker.split(':').at(-1));
  try {
    await fc.assert(fc.asyncProperty(fc.nat(4), fc.nat(30), fc.boolean(), async (asked, afterMs, connectedFirst) => {
      opened.length = 0;
      const api = await start({});
      if (connectedFirst) await until(async () => (await get(api.url, '/kafka/status')).connected === true, 'it is connected', undefined, 2);
      const answers = Promise.allSettled(Array.from({ length: asked }, () => publish(api.url)));
      if (asked === 0 || !connectedFirst) await sleep(afterMs);
      await api.stop();
      // Who came too late to be let in was told so by the network; everybody else was answered.
      const heard = (await answers).flatMap((one) => (one.status === 'fulfilled' ? [one.value.status] : []));
      answered += heard.length;
      for (const status of heard) expect(connectedFirst ? [200] : [200, 503]).toContain(status);
      if (connectedFirst) expect(opened.length).toBeGreaterThan(0);
      // One that was being made when the stop came must not stay either.
      await until(() => !opened.some((socket) => socket.connecting && !socket.destroyed), 'no connection is being made', undefined, 1);
      expect(opened.filter((socket) => socket.remotePort === port && !socket.destroyed && !socket.writableEnded)).toHaveLength(0);
    }), RUNS);
    expect(answered).toBeGreaterThan(0);
  } finally {
    unsubscribe('net.client.socket', note);
  }
}, 120_000);
