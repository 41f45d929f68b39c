import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { isIP } from 'node:net';
import type { NextFunction, Request, Response } from 'express';
import type { Config } from '../config';
import { FazendaError } from '../errors';
import type { Secret } from '../secret';

/** What every answer says to a browser: it is no page to be framed, guessed at, stored or told about. */
const HEADERS: Readonly<Record<string, string>> = {
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'referrer-policy': 'no-referrer',
  'cross-origin-resource-policy': 'same-origin',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
  'cache-control': 'no-store',
};

export function securityHeaders(_request: Request, response: Response, next: NextFunction): void {
  for (const [name, value] of Object.entries(HEADERS)) response.setHeader(name, value);
  next();
}

export function isLoopback(host: string): boolean {
  if (host === 'localhost') return true;
  return isIP(host) === 4 ? host.startsWith('127.') : host === '::1';
}

/**
 * The token that every request needs, or undefined on loopback, where being on the machine is enough.
 * @throws FazendaError FZ_CONFIG_INVALID: nothing listens beyond loopback without a token
 */
export function requiredToken({ HOST, FAZENDA_ADMIN_TOKEN }: Pick<Config, 'HOST' | 'FAZENDA_ADMIN_TOKEN'>): Secret | undefined {
  if (isLoopback(HOST)) return undefined;
  if (FAZENDA_ADMIN_TOKEN) return FAZENDA_ADMIN_TOKEN;
  throw new FazendaError('FZ_CONFIG_INVALID', `HOST ${HOST} is not loopback, and FAZENDA_ADMIN_TOKEN is not set`);
}

/** True where the request bears the token. Compares digests, in a time that says nothing of either. */
export function bears({ headers }: IncomingMessage, token: Secret): boolean {
  const given = /^Bearer +(\S+)$/i.exec(headers.authorization ?? '')?.[1] ?? '';
  return timingSafeEqual(digest(given), digest(token.reveal()));
}

export function requireToken(token: Secret) {
  return (request: Request, _response: Response, next: NextFunction): void => {
    if (!bears(request, token)) throw new FazendaError('FZ_UNAUTHORIZED', 'the bearer token is missing or wrong');
    next();
  };
}

/** Who calls, as far as an Idempotency-Key is concerned: the bearer where there is one. Never the token itself. */
export function callerOf({ headers }: IncomingMessage, userId: string | undefined): string {
  const bearer = headers.authorization ? digest(headers.authorization).toString('hex').slice(0, 16) : 'anyone';
  return userId ? `${bearer}/${userId}` : bearer;
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
