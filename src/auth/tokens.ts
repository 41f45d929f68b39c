import { createHash, timingSafeEqual } from 'node:crypto';
import { ROLES, type Role } from '../api/roles';
import type { Caller } from './caller';

/** A token that does not change, kept as its digest alone, so that no memory dump, log or error can tell it. */
export interface StaticToken {
  readonly caller: Caller;
  readonly digest: Buffer;
}

/** Shorter ones can be guessed. */
const TOKEN_CHARACTERS_MIN = 16;
/** RFC 6750 §2.1: what can stand behind `Bearer`. */
const TOKEN = /^[A-Za-z0-9\-._~+/]+=*$/;

export function digestOf(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}

/** The digest is compared in a time that says nothing of either. */
export function bearerOf(tokens: readonly StaticToken[], given: string): Caller | undefined {
  const digest = digestOf(given);
  return tokens.find((one) => timingSafeEqual(one.digest, digest))?.caller;
}

/** The token that opens everything: any text, because its name and rules are a contract. */
export function adminToken(token: string): StaticToken {
  return { caller: { role: 'admin', subject: 'admin' }, digest: digestOf(token) };
}

/**
 * `role:token` or `role/subject:token`, separated by commas or lines; instead of a token `sha256=<64 hex digits>`.
 * Lines that begin with # are comments. `faults` name an entry by its place alone, never by its text.
 */
export function parseTokens(text: string): { tokens: StaticToken[]; faults: string[] } {
  const tokens: StaticToken[] = [];
  const faults: string[] = [];
  const entries = text.split('\n').filter((line) => !line.trim().startsWith('#')).flatMap((line) => line.split(',')).map((entry) => entry.trim()).filter(Boolean);
  for (const [at, entry] of entries.entries()) {
    const parsed = parseEntry(entry);
    if (typeof parsed === 'string') faults.push(`entry ${at + 1} ${parsed}`);
    else if (tokens.some(({ digest }) => digest.equals(parsed.digest))) faults.push(`entry ${at + 1} has the token of another`);
    else tokens.push(parsed);
  }
  return { tokens, faults };
}

function parseEntry(entry: string): StaticToken | string {
  const cut = entry.indexOf(':');
  const [named = '', subject] = entry.slice(0, Math.max(cut, 0)).split('/', 2);
  const token = entry.slice(cut + 1);
  const role = ROLES.find((one) => one === named);
  if (cut === -1 || !role) return `does not begin with one of ${ROLES.join(', ')} and a colon`;
  if (subject !== undefined && !/^[\x21-\x7e]{1,255}$/.test(subject)) return 'has a subject that is not 1 to 255 visible characters';
  if (role === 'submitter' && subject === undefined) return 'has no subject: submitter/<subject>:<token>, because a submitter sees its own alone';
  const digest = digestGiven(token);
  if (!digest) return `has a token that is not ${TOKEN_CHARACTERS_MIN} characters or more of A-Z a-z 0-9 - . _ ~ + /`;
  return { caller: { role: role satisfies Role, subject: subject ?? role }, digest };
}

function digestGiven(token: string): Buffer | undefined {
  const [, hex] = /^sha256=([0-9a-f]{64})$/i.exec(token) ?? [];
  if (hex) return Buffer.from(hex, 'hex');
  return token.length >= TOKEN_CHARACTERS_MIN && TOKEN.test(token) ? digestOf(token) : undefined;
}
