import { randomBytes } from 'node:crypto';
import { defaultPayloadConverter, type Payload } from '@temporalio/common';
import fc from 'fast-check';
import { readConfig } from '../src/config';
import { FazendaError } from '../src/errors';
import { openLog } from '../src/log';
import { openCodecServer, type CodecServer } from '../src/temporal/codec-server';
import { parseKeys, SealingCodec } from '../src/temporal/seal';

const key = (id: string) => `${id}:${randomBytes(32).toString('base64')}`;
const codecOf = (...entries: string[]) => new SealingCodec(parseKeys(entries.join(',')).keys);
const payloadOf = (value: unknown): Payload => defaultPayloadConverter.toPayload(value)!;
const codeOf = (work: Promise<unknown>) => work.then(() => 'fine', (thrown: unknown) => (thrown instanceof FazendaError ? thrown.code : String(thrown)));
const [OLD, NEW] = [key('2025-01'), key('2026-01')];

describe('a sealed payload', () => {
  test('is what it was, once it is opened, whatever it was', async () => {
    const codec = codecOf(NEW);
    await fc.assert(fc.asyncProperty(fc.array(fc.jsonValue(), { maxLength: 5 }), async (values) => {
      const payloads = values.map(payloadOf);
      const back = await codec.decode(await codec.encode(payloads));
      expect(back.map((payload) => defaultPayloadConverter.fromPayload(payload))).toEqual(payloads.map((payload) => defaultPayloadConverter.fromPayload(payload)));
    }), { numRuns: 100 });
  });

  test('shows nothing but its encoding and the id of its key, and is never the same twice', async () => {
    const codec = codecOf(NEW, OLD);
    const [one, two] = await codec.encode([payloadOf('a secret word'), payloadOf('a secret word')]);
    expect(Object.fromEntries(Object.entries(one!.metadata!).map(([name, value]) => [name, String(value)]))).toEqual({ encoding: 'binary/encrypted', 'encryption-key-id': '2026-01' });
    expect(Buffer.from(one!.data!).includes('secret')).toBe(false);
    expect(Buffer.from(one!.data!).equals(Buffer.from(two!.data!))).toBe(false);
  });

  test('by an old key is opened for as long as the key is there', async () => {
    const sealed = await codecOf(OLD).encode([payloadOf(1)]);
    expect(defaultPayloadConverter.fromPayload((await codecOf(NEW, OLD).decode(sealed))[0]!)).toBe(1);
    expect(await codeOf(codecOf(NEW).decode(sealed))).toBe('FZ_PAYLOAD_SEALED');
  });

  test('that was changed is not opened: no byte of it, nor the name of its key', async () => {
    const codec = codecOf(NEW, OLD);
    const [sealed] = await codec.encode([payloadOf({ amount: 1 })]);
    for (let at = 0; at < sealed!.data!.length; at += 1) {
      const data = Buffer.from(sealed!.data!);
      data[at]! ^= 1;
      expect(await codeOf(codec.decode([{ ...sealed!, data }]))).toBe('FZ_PAYLOAD_SEALED');
    }
    for (const data of [Buffer.alloc(0), Buffer.alloc(27), Buffer.from(sealed!.data!).subarray(0, -1)]) expect(await codeOf(codec.decode([{ ...sealed!, data }]))).toBe('FZ_PAYLOAD_SEALED');
    const same = parseKeys(OLD).keys[0]!.key;
    const twin = new SealingCodec([{ id: 'twin', key: same }, { id: '2025-01', key: same }]);
    const [ours] = await codecOf(OLD).encode([payloadOf(1)]);
    expect(await codeOf(twin.decode([{ ...ours!, metadata: { ...ours!.metadata, 'encryption-key-id': Buffer.from('twin') } }]))).toBe('FZ_PAYLOAD_SEALED');
    expect(await codeOf(codec.decode([{ ...sealed!, metadata: { encoding: Buffer.from('binary/encrypted') } }]))).toBe('FZ_PAYLOAD_SEALED');
  });

  test('beside one that was written before there were keys: that one is left as it is', async () => {
    const plain = payloadOf('from before');
    expect(await codecOf(NEW).decode([plain])).toEqual([plain]);
  });
});

test.each([['a:short'], [`:${randomBytes(32).toString('base64')}`], ['nothing'], [`${OLD},${OLD}`]])('keys %s are refused, and the fault does not tell them', (given) => {
  let said = '';
  try {
    readConfig({ TEMPORAL_PAYLOAD_KEYS: given });
  } catch (thrown) {
    said = String(thrown);
  }
  expect(said).toMatch(/TEMPORAL_PAYLOAD_KEYS: entry/);
  expect(said).not.toContain(given.split(':')[1] || 'nothing-');
});

describe('the codec server', () => {
  const TOKEN = 'the-token-of-this-test';
  const UI = 'http://localhost:8233';
  let server: CodecServer;
  beforeAll(async () => {
    const config = readConfig({ TEMPORAL_PAYLOAD_KEYS: NEW, CODEC_SERVER_TOKEN: TOKEN, CODEC_SERVER_PORT: '0', TEMPORAL_UI_URL: UI, LOG_LEVEL: 'silent' });
    server = await openCodecServer(config, openLog(config, 'test'));
  });
  afterAll(() => server.close());

  const shown = ({ metadata, data }: Payload) => ({
    metadata: Object.fromEntries(Object.entries(metadata ?? {}).map(([name, value]) => [name, Buffer.from(value).toString('base64')])), data: Buffer.from(data ?? []).toString('base64'),
  });
  const ask = (path: string, init: RequestInit = {}) => fetch(`http://127.0.0.1:${server.port}${path}`, { method: 'POST', ...init });

  test('opens for the Web UI what is sealed, by a token in the path or in a header', async () => {
    const body = JSON.stringify({ payloads: (await codecOf(NEW).encode([payloadOf('a secret word'), payloadOf(null)])).map(shown) });
    for (const [path, headers] of [[`/${TOKEN}/decode`, {}], ['/decode', { authorization: `Bearer ${TOKEN}` }]] as const) {
      const answer = await ask(path, { body, headers: { ...headers, origin: UI, 'x-namespace': 'default', 'content-type': 'application/json' } });
      expect([answer.status, answer.headers.get('access-control-allow-origin')]).toEqual([200, UI]);
      expect(await answer.json()).toEqual({ payloads: [payloadOf('a secret word'), payloadOf(null)].map(shown) });
    }
  });

  test('seals what the Web UI sends', async () => {
    const answer = await ask(`/${TOKEN}/encode`, { body: JSON.stringify({ payloads: [shown(payloadOf('a signal'))] }) });
    const { payloads } = (await answer.json()) as { payloads: { metadata: Record<string, string>; data: string }[] };
    const [sealed] = payloads.map(({ metadata, data }) => ({ metadata: Object.fromEntries(Object.entries(metadata).map(([name, value]) => [name, Buffer.from(value, 'base64')])), data: Buffer.from(data, 'base64') }));
    expect(defaultPayloadConverter.fromPayload((await codecOf(NEW).decode([sealed!]))[0]!)).toBe('a signal');
  });

  test.each([['/decode', {}], ['/wrong/decode', {}], ['/decode', { authorization: 'Bearer wrong' }], [`/${TOKEN}x/decode`, {}], [`/${TOKEN}/more/decode`, {}]])('answers nobody without the token: %s %j', async (path, headers) => {
    expect((await ask(path, { body: '{}', headers })).status).toBe(401);
  });

  test('answers no page of another origin, before it looks at the token', async () => {
    for (const origin of ['https://evil.example', 'null', 'http://127.0.0.1:8233', 'http://localhost:8234']) {
      for (const method of ['POST', 'OPTIONS']) {
        const answer = await ask(`/${TOKEN}/decode`, { method, ...(method === 'POST' && { body: '{"payloads":[]}' }), headers: { origin } });
        expect([answer.status, answer.headers.get('access-control-allow-origin')]).toEqual([403, null]);
      }
    }
    const preflight = await ask(`/${TOKEN}/decode`, { method: 'OPTIONS', headers: { origin: UI, 'access-control-request-method': 'POST' } });
    expect([preflight.status, preflight.headers.get('access-control-allow-origin'), preflight.headers.get('access-control-allow-headers')]).toEqual([204, UI, 'authorization, content-type, x-namespace']);
  });

  test.each([['not json', 400], ['{"payloads":7}', 422], ['{}', 422], [JSON.stringify({ payloads: [{ metadata: { encoding: Buffer.from('binary/encrypted').toString('base64') }, data: '' }] }), 500]])('says what is wrong with %s', async (body, status) => {
    expect((await ask(`/${TOKEN}/decode`, { body })).status).toBe(status);
  });

  test('takes no body without end', async () => {
    const answer = await ask(`/${TOKEN}/decode`, { body: Buffer.alloc(9 * 1_048_576, 'x') }).then(({ status }) => status, () => 'cut off');
    expect([413, 'cut off']).toContain(answer);
  });

  test('does not start without keys, or without a token', async () => {
    for (const env of [{ CODEC_SERVER_TOKEN: TOKEN }, { TEMPORAL_PAYLOAD_KEYS: NEW }]) {
      const config = readConfig({ CODEC_SERVER_PORT: '0', LOG_LEVEL: 'silent', ...env });
      expect(await codeOf(openCodecServer(config, openLog(config, 'test')))).toBe('FZ_CONFIG_INVALID');
    }
  });
});
