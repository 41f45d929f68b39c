import { readFileSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import type { Config } from '../config';
import { FazendaError, textOf } from '../errors';
import type { Caller } from './caller';
import { openIdentityProvider } from './jwt';
import { isLoopback } from '../loopback';
import { adminToken, bearerOf, parseTokens, type StaticToken } from './tokens';

/** Finds out who bears a token. */
export interface Authenticator {
  /** True where every request has to say who it is; false where being on the machine is enough for all but an admin's. */
  readonly always: boolean;
  /**
   * Who bears this token.
   * @throws FazendaError FZ_UNAUTHORIZED without one or with one that is not good, FZ_IDENTITY_AWAY where it cannot be told
   */
  identify(token: string | undefined): Promise<Caller>;
}

/**
 * By the tokens that are set and the identity provider that is named.
 * @throws FazendaError FZ_CONFIG_INVALID where the API would ask for tokens and there can be none that is good
 */
export function openAuthenticator(config: Config): Authenticator {
  const always = config.AUTH_ALWAYS || !isLoopback(config.HOST);
  const tokens = [
    ...(config.FAZENDA_ADMIN_TOKEN ? [adminToken(config.FAZENDA_ADMIN_TOKEN.reveal())] : []),
    ...config.FAZENDA_TOKENS,
    ...(config.FAZENDA_TOKENS_FILE ? readTokens(config.FAZENDA_TOKENS_FILE) : []),
  ];
  const provider = openIdentityProvider(config);
  if (always && tokens.length === 0 && !provider) {
    const why = config.AUTH_ALWAYS ? 'AUTH_ALWAYS is set' : `HOST ${config.HOST} is not loopback`;
    throw new FazendaError('FZ_CONFIG_INVALID', `${why}, and none of FAZENDA_ADMIN_TOKEN, FAZENDA_TOKENS, FAZENDA_TOKENS_FILE and JWT_JWKS_URL is set`);
  }
  return {
    always,
    async identify(token) {
      if (token === undefined) throw new FazendaError('FZ_UNAUTHORIZED', 'there is no bearer token');
      const known = bearerOf(tokens, token) ?? (await provider?.identify(token));
      if (!known) throw new FazendaError('FZ_UNAUTHORIZED', 'the bearer token is wrong', { bearer: 'invalid_token' });
      return known;
    },
  };
}

/** The token of a request's `Authorization`; undefined where it has none of the kind. */
export function tokenOf({ headers }: IncomingMessage): string | undefined {
  return /^Bearer +(\S+)$/i.exec(headers.authorization ?? '')?.[1];
}

function readTokens(path: string): readonly StaticToken[] {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (cause) {
    throw new FazendaError('FZ_CONFIG_INVALID', `FAZENDA_TOKENS_FILE cannot be read: ${textOf(cause)}`, {}, cause);
  }
  const { tokens, faults } = parseTokens(text);
  if (faults.length > 0) throw new FazendaError('FZ_CONFIG_INVALID', `FAZENDA_TOKENS_FILE: ${faults.join('; ')}`);
  return tokens;
}
