import { createRemoteJWKSet, errors, jwtVerify, type JWTPayload } from 'jose';
import { ROLES, type Role } from '../api/roles';
import type { Config } from '../config';
import { FazendaError } from '../errors';
import type { Caller } from './caller';

/** Signatures that only the provider can make. A shared secret (HS256), or none at all, is refused. */
const ALGORITHMS = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512', 'EdDSA'];
/** How far the provider's clock and ours may be apart, seconds. */
const CLOCK_TOLERANCE_S = 5;
const KEYS_TIMEOUT_MS = 3_000;
/** Keys are fetched again after this long, ms, and for a key that is not known at most this often. */
const KEYS_AGE_MS_MAX = 600_000;
const KEYS_COOLDOWN_MS = 10_000;

export interface IdentityProvider {
  /** @throws FazendaError FZ_UNAUTHORIZED for a token that is not good, FZ_IDENTITY_AWAY while its keys cannot be had */
  identify(token: string): Promise<Caller>;
}

/** Who an identity provider's JWTs say that their bearers are; undefined where none is named. */
export function openIdentityProvider(config: Config): IdentityProvider | undefined {
  const { JWT_JWKS_URL, JWT_ISSUER, JWT_AUDIENCE, JWT_ROLE_CLAIM } = config;
  if (!JWT_JWKS_URL || !JWT_ISSUER || !JWT_AUDIENCE) return undefined;
  const keys = createRemoteJWKSet(new URL(JWT_JWKS_URL), { timeoutDuration: KEYS_TIMEOUT_MS, cacheMaxAge: KEYS_AGE_MS_MAX, cooldownDuration: KEYS_COOLDOWN_MS });
  const rules = {
    algorithms: ALGORITHMS, issuer: JWT_ISSUER, audience: JWT_AUDIENCE, clockTolerance: CLOCK_TOLERANCE_S, requiredClaims: ['exp', 'sub'],
  };
  return {
    async identify(token) {
      const { payload } = await jwtVerify(token, keys, rules).catch((thrown: unknown) => {
        throw faultOf(thrown);
      });
      const { sub = '', exp = 0 } = payload;
      if (!/^[\x21-\x7e]{1,255}$/.test(sub)) throw invalid('its sub is not 1 to 255 visible characters');
      return { role: roleIn(payload, JWT_ROLE_CLAIM), subject: sub, expiresAt: exp * 1_000 };
    },
  };
}

/** The highest role that the claim names: a text with spaces between, or a list; `a.b` is b within a. */
function roleIn(payload: JWTPayload, claim: string): Role | undefined {
  let at: unknown = payload;
  for (const part of Object.hasOwn(payload, claim) ? [claim] : claim.split('.')) {
    at = typeof at === 'object' && at !== null && Object.hasOwn(at, part) ? (at as Record<string, unknown>)[part] : undefined;
  }
  const named = typeof at === 'string' ? at.split(' ') : Array.isArray(at) ? at : [];
  return ROLES.findLast((role) => named.includes(role));
}

/** What is wrong with the token is its bearer's fault; keys that cannot be had are nobody's here. */
function faultOf(thrown: unknown): FazendaError {
  const away = !(thrown instanceof errors.JOSEError) || thrown instanceof errors.JWKSTimeout || thrown.code === 'ERR_JOSE_GENERIC' || thrown instanceof errors.JWKSInvalid;
  if (away) return new FazendaError('FZ_IDENTITY_AWAY', 'the keys of the identity provider cannot be had', {}, thrown);
  if (thrown instanceof errors.JWTExpired) return invalid('it has expired', thrown);
  if (thrown instanceof errors.JWTClaimValidationFailed) return invalid(`its ${thrown.claim} is not as it has to be`, thrown);
  return invalid('it is no JWT that the identity provider signed', thrown);
}

function invalid(why: string, cause?: unknown): FazendaError {
  return new FazendaError('FZ_UNAUTHORIZED', `the bearer token is not good: ${why}`, { bearer: 'invalid_token' }, cause);
}
