import { openAuthenticator } from '../src/auth/authenticator';
import { readConfig } from '../src/config';
import { isLoopback } from '../src/loopback';
import { openApi, type TestApi } from './setup/api';
import { fakeProducer } from './setup/fake-producer';
import { PARTS_TIMEOUT_MS } from './setup/stack';

const up = async () => undefined;
const TOKEN = 'a-token-of-this-test';

describe('beyond loopback', () => {
  test('nothing is served without a token', () => {
    expect(() => openAuthenticator(readConfig({ HOST: '0.0.0.0' }))).toThrow(/FAZENDA_ADMIN_TOKEN/);
    expect(() => openAuthenticator(readConfig({ AUTH_ALWAYS: 'true' }))).toThrow(/AUTH_ALWAYS/);
    expect(openAuthenticator(readConfig({ HOST: '127.0.0.1', FAZENDA_ADMIN_TOKEN: TOKEN })).always).toBe(false);
  });

  test.each([
    ['127.0.0.1', true], ['127.1.2.3', true], ['::1', true], ['localhost', true],
    ['0.0.0.0', false], ['::', false], ['10.0.0.1', false], ['127.evil.example', false], ['127.1', false], ['', false],
  ])('%s is loopback: %s', (host, loopback) => expect(isLoopback(host)).toBe(loopback));

  describe('with a token', () => {
    let api: TestApi;
    // Loopback in truth, as tests have to be, in a spelling that is not taken for it.
    const env = { HOST: '127.1', FAZENDA_ADMIN_TOKEN: TOKEN };
    beforeAll(async () => (api = await openApi({ producer: fakeProducer(), checks: { kafka: up, temporal: up, postgres: up }, env })), PARTS_TIMEOUT_MS);
    afterAll(() => api.close());

    test.each(['/', '/livez', '/readyz', '/metrics', '/docs', '/tasks', '/templates', '/ws/tasks/1/status', '/nothing'])('%s needs it', async (path) => {
      for (const authorization of [undefined, 'Bearer wrong', `Basic ${TOKEN}`, `Bearer ${TOKEN}x`, 'Bearer ']) {
        const { status, json, headers } = await api.call('GET', path, undefined, authorization === undefined ? {} : { authorization });
        expect([status, json.code]).toEqual([401, 'FZ_UNAUTHORIZED']);
        expect(headers.get('www-authenticate')).toMatch(/^Bearer/);
      }
      expect((await api.call('GET', path, undefined, { authorization: `Bearer ${TOKEN}` })).status).not.toBe(401);
    });

    test('a command needs it, before its body is read', async () => {
      expect((await api.call('POST', '/commands/create-task', '{', {})).status).toBe(401);
      expect((await api.call('POST', '/commands/create-task', '{', { authorization: `bearer ${TOKEN}` })).status).toBe(400);
    });
  });
});
