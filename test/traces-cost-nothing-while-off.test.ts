import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { readConfig } from '../src/config';
import { openLog } from '../src/log';
import { withinTrace } from '../src/tracing/current';
import { parseTraceparent, traceparentText } from '../src/tracing/trace-context';
import { compiled } from './setup/compiled';
import { openOtlpSink } from './setup/otlp-sink';
import { until } from './setup/until';

/** Where nobody asks for traces nothing of them is loaded; where somebody does, they never stand in the way. */

/** What each process loads, and which files of the library are then there: off, disabled, and, so that we see that we would see it, on. */
const LOOK = `
  ['workers/hosting', 'src/process', 'src/api/run', 'src/ingress/ingress', 'src/relay/relay', 'src/live/run', 'src/notify/notifier', 'src/notify/dispatch'].forEach(load);
  const config = load('src/config').readConfig(env);
  const stop = await load('src/tracing/open').openTracing(config, load('src/log').openLog({ LOG_LEVEL: 'silent' }, 'test'), 'test');
  const loaded = Object.keys(require.cache).filter((file) => /@opentelemetry.(sdk|exporter|otlp|resources)/.test(file));
  say({ on: stop !== undefined, loaded: loaded.length });
`;

test.each([
  ['nothing is loaded where no endpoint is named', {}, false],
  ['nothing where OTEL_SDK_DISABLED is true', { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:1', OTEL_SDK_DISABLED: 'true' }, false],
  ['nothing where OTEL_TRACES_EXPORTER is none', { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:1', OTEL_TRACES_EXPORTER: 'none' }, false],
  ['the library where an endpoint is named', { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:1' }, true],
  ['the library where one for traces alone is', { OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: 'http://127.0.0.1:1/v1/traces' }, true],
])('%s', async (_what, env, on) => {
  const { stdout } = await inProcess(LOOK, env);
  const seen = JSON.parse(stdout) as { on: boolean; loaded: number };
  expect([seen.on, seen.loaded > 0]).toEqual([on, on]);
});

test.each([
  ['OTEL_EXPORTER_OTLP_ENDPOINT', 'collector:4318'],
  ['OTEL_EXPORTER_OTLP_PROTOCOL', 'grpc'],
  ['OTEL_EXPORTER_OTLP_HEADERS', 'authorization'],
  ['OTEL_EXPORTER_OTLP_HEADERS', 'authorization=%E0%A4%A'],
  ['OTEL_TRACES_SAMPLER', 'sometimes'],
  ['OTEL_TRACES_SAMPLER_ARG', '2'],
  ['OTEL_BSP_MAX_EXPORT_BATCH_SIZE', '10000'],
])('%s=%s is refused at the start', (name, value) => {
  expect(() => readConfig({ [name]: value })).toThrow(new RegExp(`${name}: `));
});

describe('a collector that', () => {
  const hangs = createServer(() => undefined);
  beforeAll(() => new Promise<void>((resolve) => hangs.listen(0, '127.0.0.1', resolve)));
  afterAll(() => closed(hangs));

  test.each([['is away', () => 1], ['says nothing', () => (hangs.address() as AddressInfo).port]])('%s holds up neither work nor stop', async (_what, port) => {
    const env = { OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${port()}`, OTEL_BSP_SCHEDULE_DELAY: '20', OTEL_BSP_MAX_QUEUE_SIZE: '600' };
    const { stdout } = await inProcess(`
      const begun = performance.now();
      const sdk = open(env);
      for (let count = 0; count < 5_000; count += 1) sdk.start({ name: 'work', kind: 'internal' }).end();
      const worked = performance.now() - begun;
      await new Promise((resolve) => setTimeout(resolve, 200));
      await sdk.stop();
      say({ worked, stopped: performance.now() - begun, said: said.length });
    `, env);
    const { worked, stopped, said } = JSON.parse(stdout) as Record<'worked' | 'stopped' | 'said', number>;
    expect(worked).toBeLessThan(2_000);
    expect(stopped).toBeLessThan(6_000);
    expect(said).toBeLessThanOrEqual(1);
  });
});

test('sampling: the caller decides, and where there is none, the share that was asked for', async () => {
  const sink = await openOtlpSink();
  const [traced, untraced] = [['a', 'b'], ['c', 'd']].map(([trace = '', span = '']) => ({ traceId: trace.repeat(32), spanId: span.repeat(16), sampled: trace === 'a' }));
  await inProcess(`
    const sdks = [open({ ...env, OTEL_SERVICE_NAME: 'farm' }), open({ ...env, OTEL_TRACES_SAMPLER: 'parentbased_traceidratio', OTEL_TRACES_SAMPLER_ARG: '0' })];
    const start = (sdk, name, parent) => sdk.start({ name, kind: 'internal', parent }).end();
    for (const sdk of sdks) { start(sdk, 'root'); start(sdk, 'below yes', env.traced); start(sdk, 'below no', env.untraced); }
    for (const sdk of sdks) await sdk.stop();
  `, { OTEL_EXPORTER_OTLP_ENDPOINT: sink.url, traced, untraced });
  expect(sink.spans.map(({ service, name, traceId, parentId }) => [service, name, name === 'root' ? '' : traceId, parentId]).toSorted()).toEqual([
    ['farm', 'below yes', 'a'.repeat(32), 'b'.repeat(16)], ['farm', 'root', '', ''], ['fazenda-test', 'below yes', 'a'.repeat(32), 'b'.repeat(16)],
  ]);
  await sink.close();
});

test('a batch has at most 128 links, and an attribute 1,024 characters; what fails is marked', async () => {
  const sink = await openOtlpSink();
  await inProcess(`
    const sdk = open(env);
    const members = Array.from({ length: 300 }, () => ({ span: { name: 'one', kind: 'internal', attributes: { long: 'x'.repeat(5_000) } }, begins: true }));
    const { inBatch } = load('src/tracing/batch');
    await inBatch(sdk, { name: 'all', kind: 'internal' }, members, async () => undefined);
    await inBatch(sdk, { name: 'nobody', kind: 'internal' }, [{ span: { name: 'of no trace', kind: 'internal' } }], async () => undefined);
    await inBatch(sdk, { name: 'alone', kind: 'internal' }, [members[0]], () => Promise.reject(new RangeError('no'))).catch(() => undefined);
    await sdk.stop();
  `, { OTEL_EXPORTER_OTLP_ENDPOINT: sink.url });
  expect(sink.spans.filter(({ name }) => name !== 'one').map(({ name, links }) => [name, links.length])).toEqual([['all', 128]]);
  const ones = sink.spans.filter(({ name }) => name === 'one').map(({ attributes, status, links }) => [String(attributes.long).length, status, links.length, attributes['error.type']]);
  expect(ones).toEqual([...Array.from({ length: 300 }, () => [1_024, 0, 1, undefined]), [1_024, 2, 0, 'RangeError']]);
  await sink.close();
});

test('a span of a fact ends with the acknowledgement, and one that had none is marked', async () => {
  const sink = await openOtlpSink();
  const traceparent = `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`;
  await inProcess(`
    const sdk = open(env);
    load('src/tracing/tracing').useTracing(sdk);
    const { inWave } = load('src/tracing/published');
    const wave = [{ topic: 'orders.paid', domain: 'order', id: '1', version: 4, type: 'OrderPaid', ceId: 'c', correlationId: 'd', traceparent: env.traceparent }];
    const later = () => new Promise((resolve) => setTimeout(resolve, 60));
    await inWave(wave, later);
    await inWave(wave, () => later().then(() => { throw new RangeError('no'); })).catch(() => undefined);
    await inWave([{ ...wave[0], traceparent: null }], later);
    await sdk.stop();
  `, { OTEL_EXPORTER_OTLP_ENDPOINT: sink.url, traceparent });
  expect(sink.spans.map(({ name, status, startMs, endMs }) => [name, status, endMs - startMs >= 55])).toEqual([['send orders.paid', 0, true], ['send orders.paid', 2, true]]);
  await sink.close();
});

test('a line of the log names the trace that the running code works for', async () => {
  const file = join(mkdtempSync(join(tmpdir(), 'fazenda-trace-')), 'test.log');
  const log = openLog({ LOG_LEVEL: 'info', LOG_FILE: file }, 'test');
  const trace = parseTraceparent(`00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`)!;
  log.info('outside');
  await withinTrace(trace, async () => {
    await Promise.resolve();
    log.info('within');
  });
  await until(() => readFileSync(file, 'utf8').split('\n').length === 3, 'both are written');
  const [outside, within] = readFileSync(file, 'utf8').split('\n').filter(Boolean).map((line) => JSON.parse(line) as Record<string, unknown>);
  expect([outside?.trace_id, within?.trace_id, within?.span_id]).toEqual([undefined, trace.traceId, trace.spanId]);
  rmSync(dirname(file), { recursive: true });
});

test.each([
  ['', undefined], [undefined, undefined], ['00-1-2-01', undefined], [`00-${'0'.repeat(32)}-${'b'.repeat(16)}-01`, undefined], [`00-${'a'.repeat(32)}-${'0'.repeat(16)}-01`, undefined],
  [`00-${'A'.repeat(32)}-${'b'.repeat(16)}-01`, undefined], [`00-${'a'.repeat(32)}-${'b'.repeat(16)}-03`, true], [`00-${'a'.repeat(32)}-${'b'.repeat(16)}-02`, false],
])('traceparent %s', (text, sampled) => {
  const parsed = parseTraceparent(text);
  expect(parsed?.sampled).toBe(sampled);
  if (parsed) expect(traceparentText(parsed).slice(0, 52)).toBe(text?.slice(0, 52));
});

/** Runs a script beside the compiled sources: the library loads parts of itself in a way that Jest has no answer to. */
async function inProcess(script: string, env: object): Promise<{ stdout: string }> {
  const whole = `
    const [folder, env] = [process.argv[1], JSON.parse(process.argv[2])];
    const load = (name) => require(folder + '/' + name + '.js');
    const said = [];
    const log = { warn: (...words) => said.push(words), debug: () => undefined };
    const open = (given) => load('src/tracing/sdk').openSdk(load('src/config').readConfig(given), log, 'test');
    const say = (what) => console.log(JSON.stringify(what));
    (async () => { ${script} })().then(() => process.exit(0), (thrown) => { console.error(thrown); process.exit(1); });
  `;
  return promisify(execFile)(process.execPath, ['-e', whole, await compiled(), JSON.stringify(env)]);
}

function closed(server: Server): Promise<void> {
  server.closeAllConnections();
  return new Promise((resolve) => server.close(() => resolve()));
}
