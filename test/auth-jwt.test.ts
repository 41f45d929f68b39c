import { SignJWT, UnsecuredJWT } from 'jose';
import { openAuthenticator, type Authenticator } from '../src/auth/authenticator';
import { mayDo } from '../src/auth/caller';
import { readConfig } from '../src/config';
import { FazendaError } from '../src/errors';
import { AUDIENCE, ISSUER, openProvider, type TestProvider } from './setup/identity-provider';

let provider: TestProvider;
let authenticator: Authenticator;
const open = (env: Record<string, string> = {}) => openAuthenticator(readConfig({ HOST: '0.0.0.0', ...provider.env, ...env }));
beforeEach(async () => {
  provider = await openProvider();
  authenticator = open();
});
afterEach(() => provider.close());

const codeOf = (token: string, by = authenticator) => by.identify(token).then((caller) => caller.role ?? 'no role', (thrown: unknown) => (thrown instanceof FazendaError ? thrown.code : String(thrown)));
const ago = (seconds: number) => Math.floor(Date.now() / 1_000) - seconds;

test('a token that the provider signed says who its bearer is, and what he may do', async () => {
  expect(await authenticator.identify(await provider.token('maria', { roles: ['operator', 'offline_access'] }))).toMatchObject({ role: 'operator', subject: 'maria' });
});

test('the role is the highest that its claim names, wherever the provider puts it', async () => {
  expect(await codeOf(await provider.token('m', { roles: ['viewer', 'admin', 'submitter'] }))).toBe('admin');
  expect(await codeOf(await provider.token('m', { roles: 'openid submitter' }))).toBe('submitter');
  expect(await codeOf(await provider.token('m', { realm_access: { roles: ['operator'] } }), open({ JWT_ROLE_CLAIM: 'realm_access.roles' }))).toBe('operator');
  expect(await codeOf(await provider.token('m', { 'https://x.example/role': 'viewer' }), open({ JWT_ROLE_CLAIM: 'https://x.example/role' }))).toBe('viewer');
});

test.each([[null], [[]], ['root'], [['Admin', 'toString']], [{ admin: true }], [7]])('roles %j open nothing', async (roles) => {
  const caller = await authenticator.identify(await provider.token('m', { roles }));
  expect([caller.role, mayDo(caller, 'viewer'), mayDo(caller, 'anyone')]).toEqual([undefined, false, true]);
});

describe('a token is not good', () => {
  test.each([
    ['that has expired', { exp: ago(60) }], ['that never expires', { exp: null }], ['that is not valid yet', { nbf: ago(-600) }],
    ['for another audience', { aud: 'others' }], ['without an audience', { aud: null }], ['of another issuer', { iss: 'https://evil.example/' }],
    ['without a subject', { sub: null }], ['with an empty subject', { sub: '' }], ['with a subject that would break a header', { sub: 'a\nb' }],
  ])('%s', async (_what, claims) => {
    expect(await codeOf(await provider.token('m', claims))).toBe('FZ_UNAUTHORIZED');
  });

  const claims = { sub: 'm', iss: ISSUER, aud: AUDIENCE, exp: ago(-300), roles: ['admin'] };
  test('without a signature', async () => {
    expect(await codeOf(new UnsecuredJWT(claims).encode())).toBe('FZ_UNAUTHORIZED');
  });

  test('signed by another with the name of the key, or with the public key as a secret', async () => {
    const other = await openProvider();
    expect(await codeOf(await other.token('m'))).toBe('FZ_UNAUTHORIZED');
    other.close();
    const forged = await new SignJWT(claims).setProtectedHeader({ alg: 'HS256', kid: provider.publicKey().kid! }).sign(Buffer.from(JSON.stringify(provider.publicKey())));
    expect(await codeOf(forged)).toBe('FZ_UNAUTHORIZED');
  });

  test('whose claims were changed after it was signed', async () => {
    const [head, , signature] = (await provider.token('m')).split('.');
    const changed = Buffer.from(JSON.stringify(claims)).toString('base64url');
    expect(await codeOf([head, changed, signature].join('.'))).toBe('FZ_UNAUTHORIZED');
  });

  test.each(['', 'x', 'a.b.c', '..', 'e30.e30.e30'])('that is none: %j', async (token) => expect(await codeOf(token)).toBe('FZ_UNAUTHORIZED'));
});

test('while the keys cannot be had nobody is let in, and nobody is told that his token is wrong', async () => {
  provider.up = false;
  expect(await codeOf(await provider.token('m'))).toBe('FZ_IDENTITY_AWAY');
  provider.up = true;
  expect(await codeOf(await provider.token('m'))).toBe('viewer');
});

test('keys that are known are not asked for again, and outlive the page', async () => {
  await codeOf(await provider.token('m'));
  provider.up = false;
  for (let times = 0; times < 5; times += 1) expect(await codeOf(await provider.token('m'))).toBe('viewer');
  expect(provider.asked).toBe(1);
});

test('a static token and the admin token are good beside it', async () => {
  const both = open({ FAZENDA_ADMIN_TOKEN: 'the-admin', FAZENDA_TOKENS: 'submitter/alice:0123456789abcdef' });
  expect(await both.identify('the-admin')).toEqual({ role: 'admin', subject: 'admin' });
  expect(await both.identify('0123456789abcdef')).toEqual({ role: 'submitter', subject: 'alice' });
  expect(await codeOf(await provider.token('m'), both)).toBe('viewer');
});

test.each([
  [{ JWT_ISSUER: '' }, /JWT_ISSUER/], [{ JWT_AUDIENCE: '' }, /JWT_AUDIENCE/], [{ JWT_JWKS_URL: 'http://id.example/keys' }, /JWT_JWKS_URL: is not https/],
  [{ JWT_JWKS_URL: 'nowhere' }, /JWT_JWKS_URL: Invalid URL/],
])('a setting that would let strangers in is refused: %j', (env, fault) => {
  expect(() => readConfig({ ...provider.env, ...env })).toThrow(fault);
});
