import { exportJWK, generateKeyPair, SignJWT, type JWK, type KeyLike } from 'jose';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A stand-in for an identity provider: real keys, real signatures, a real JWKS page that can be taken away. */
export interface TestProvider {
  /** The settings that make the API trust it. */
  readonly env: Readonly<Record<string, string>>;
  /** Whether its page answers. */
  up: boolean;
  /** How often its page was asked for. */
  readonly asked: number;
  /** A token of this subject and these claims, good for five minutes unless they say otherwise; `null` takes a claim away. */
  token(subject: string, claims?: Readonly<Record<string, unknown>>): Promise<string>;
  /** Goes on with a new key, and no longer shows the old one. */
  rotate(): Promise<void>;
  /** The page's key, for forgers. */
  publicKey(): JWK;
  close(): void;
}

export const ISSUER = 'https://id.fazenda.example/';
export const AUDIENCE = 'fazenda-of-this-test';

export async function openProvider(): Promise<TestProvider> {
  let serial = 0;
  let key: { id: string; secret: KeyLike; shown: JWK };
  async function rotate(): Promise<void> {
    const { privateKey, publicKey } = await generateKeyPair('ES256');
    const id = `key-${(serial += 1)}`;
    key = { id, secret: privateKey, shown: { ...(await exportJWK(publicKey)), kid: id, alg: 'ES256', use: 'sig' } };
  }
  await rotate();
  let asked = 0;
  const server = createServer((_request, response) => {
    asked += 1;
    if (provider.up) response.setHeader('content-type', 'application/json').end(JSON.stringify({ keys: [key.shown] }));
    else response.writeHead(500).end();
  }).listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/keys`;
  const provider: TestProvider = {
    env: { JWT_JWKS_URL: url, JWT_ISSUER: ISSUER, JWT_AUDIENCE: AUDIENCE },
    up: true,
    get asked() {
      return asked;
    },
    token(subject, claims = {}) {
      const now = Math.floor(Date.now() / 1_000);
      const all = { sub: subject, iss: ISSUER, aud: AUDIENCE, iat: now, exp: now + 300, roles: ['viewer'], ...claims };
      const kept = Object.fromEntries(Object.entries(all).filter(([, value]) => value !== null));
      return new SignJWT(kept).setProtectedHeader({ alg: 'ES256', kid: key.id }).sign(key.secret);
    },
    rotate,
    publicKey: () => key.shown,
    close: () => void server.close(),
  };
  return provider;
}
