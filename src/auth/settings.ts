import { z } from 'zod';
import { isLoopback } from '../loopback';
import { parseTokens, type StaticToken } from './tokens';

/** Settings of who may do what, as the one reader of the environment takes them. */
export const authSettings = {
  /** Tokens with a role each: `role:token` or `role/subject:token`, comma-separated. Only their digests are kept. */
  FAZENDA_TOKENS: z.string().transform(tokenList).default([]),
  /** The same, one a line. */
  FAZENDA_TOKENS_FILE: z.string().optional(),
  /** Asks every request for a token on loopback too, as behind a reverse proxy it should. */
  AUTH_ALWAYS: z.enum(['true', 'false']).default('false').transform((text) => text === 'true'),
  /** False lets probes and docs answer anyone, where all else asks for a token. */
  ANYONE_NEEDS_TOKEN: z.enum(['true', 'false']).default('true').transform((text) => text === 'true'),
  /** Tokens of an identity provider: where its keys are, who it is, whom its tokens are for. */
  JWT_JWKS_URL: z.url({ protocol: /^https?$/ }).refine(isSafeUrl, 'is not https, and not on this machine').optional(),
  JWT_ISSUER: z.string().min(1).optional(),
  JWT_AUDIENCE: z.string().min(1).optional(),
  /** The claim that names a role; `a.b` is b within a. */
  JWT_ROLE_CLAIM: z.string().min(1).default('roles'),
};

/** What is wrong between settings that are each right. */
export function authFaults(given: Readonly<Record<string, string>>): { path: string; message: string }[] {
  if (!given.JWT_JWKS_URL) return [];
  const missing = ['JWT_ISSUER', 'JWT_AUDIENCE'].filter((name) => !given[name]);
  return missing.map((path) => ({ path, message: 'is needed with JWT_JWKS_URL: without it, a token that was made for another would be good here' }));
}

function tokenList(text: string, context: z.RefinementCtx): readonly StaticToken[] {
  const { tokens, faults } = parseTokens(text);
  for (const message of faults) context.addIssue({ code: 'custom', message });
  return tokens;
}

/** Whoever can change what is fetched without TLS decides which tokens are good. */
function isSafeUrl(url: string): boolean {
  if (!URL.canParse(url)) return true; // Said by what it is not.
  const { protocol, hostname } = new URL(url);
  return protocol === 'https:' || isLoopback(hostname.replace(/^\[|\]$/g, ''));
}
