import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createSecureServer, type Http2SecureServer } from 'node:http2';
import { connect, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createServer, type Server } from 'node:tls';
import { readConfig, type Config } from '../src/config';
import { connectTemporal } from '../src/temporal/connect';
import { lazyTemporal, pingTemporal } from '../src/temporal/lazy';
import { makeCertificates } from './setup/certificates';
import { PARTS_TIMEOUT_MS, realParts } from './setup/stack';

let folder: string;
let tls: Server;
let keyed: Http2SecureServer;
const keys: (string | undefined)[] = [];
const at = (name: string) => join(folder, name);

/** The real Temporal behind a door that speaks TLS and asks for a certificate; and one that only listens for API keys. */
beforeAll(async () => {
  const [host = '', port = ''] = ((await realParts()).TEMPORAL_ADDRESS ?? '').split(':');
  folder = mkdtempSync(join(tmpdir(), 'fazenda-tls-'));
  await makeCertificates(folder);
  const served = { key: readFileSync(at('server.key')), cert: readFileSync(at('server.pem')), ca: readFileSync(at('ca.pem')), ALPNProtocols: ['h2'] };
  tls = createServer({ ...served, requestCert: true, rejectUnauthorized: true }, (client) => {
    const upstream = connect(Number(port), host);
    client.pipe(upstream).pipe(client);
    client.on('error', () => upstream.destroy());
    upstream.on('error', () => client.destroy());
  }).on('tlsClientError', () => undefined).listen(0, '127.0.0.1');
  keyed = createSecureServer(served).listen(0, '127.0.0.1');
  keyed.on('stream', (stream, { authorization }) => {
    keys.push(authorization);
    stream.respond({ ':status': 200, 'content-type': 'application/grpc', 'grpc-status': '16' }, { endStream: true });
  });
  await Promise.all([tls, keyed].map((server) => new Promise((resolve) => (server.listening ? resolve(undefined) : server.once('listening', resolve)))));
}, PARTS_TIMEOUT_MS);
afterAll(() => {
  tls.close();
  keyed.close();
  rmSync(folder, { recursive: true, force: true });
});

const SET = ['TEMPORAL_TLS', 'TEMPORAL_TLS_SERVER_CA_CERT_PATH', 'TEMPORAL_TLS_CLIENT_CERT_PATH', 'TEMPORAL_TLS_CLIENT_KEY_PATH', 'TEMPORAL_TLS_SERVER_NAME', 'TEMPORAL_API_KEY'];
afterEach(() => SET.forEach((name) => delete process.env[name]));

/** As the SDK reads them: from the process's own environment. */
function settings(server: Server | Http2SecureServer, more: Record<string, string> = {}): Config {
  Object.assign(process.env, { TEMPORAL_TLS_SERVER_CA_CERT_PATH: at('ca.pem'), TEMPORAL_TLS_SERVER_NAME: 'localhost', ...more });
  return readConfig({ TEMPORAL_ADDRESS: `127.0.0.1:${(server.address() as AddressInfo).port}` });
}
const CLIENT = () => ({ TEMPORAL_TLS_CLIENT_CERT_PATH: at('app.pem'), TEMPORAL_TLS_CLIENT_KEY_PATH: at('app.key') });

/** By both ways in which our processes connect. */
async function connected(config: Config): Promise<[native: string, lazy: string]> {
  const native = await connectTemporal(config).then(async ({ connection }) => {
    await connection.workflowService.getSystemInfo({});
    await connection.close();
    return 'in';
  }).catch(() => 'out');
  const client = lazyTemporal(config);
  const lazy = await pingTemporal(client).then(() => 'in', () => 'out');
  await client.connection.close();
  return [native, lazy];
}

test('with TLS and a client certificate it is let in', async () => expect(await connected(settings(tls, CLIENT()))).toEqual(['in', 'in']));
test('without a client certificate it is not', async () => expect(await connected(settings(tls))).toEqual(['out', 'out']));
test('by a server that its authority did not vouch for it is not let in', async () => expect(await connected(settings(tls, { ...CLIENT(), TEMPORAL_TLS_SERVER_CA_CERT_PATH: at('app.pem') }))).toEqual(['out', 'out']));

test('it shows its API key, by both ways', async () => {
  keys.length = 0;
  await connected(settings(keyed, { TEMPORAL_API_KEY: 'the-api-key' }));
  expect(keys.length).toBeGreaterThanOrEqual(2);
  expect(new Set(keys)).toEqual(new Set(['Bearer the-api-key']));
});
