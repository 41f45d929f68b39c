import { domains } from '../../workflows/domains';
import type { Domain } from '../../workflows/kernel/definition';
import { FazendaError } from '../errors';

/** What a client asks to follow, and the last version that it has seen; 0 is none. */
export interface Wish {
  readonly domain: Domain;
  readonly id: string;
  readonly lastVersion: number;
}

/** The largest version that the facts table can hold. */
const VERSION_MAX = 2_147_483_647;

/** 1 to 255 characters that PostgreSQL can store and a log can show: no controls, no lone surrogates. */
const ID = /^[^\p{Cc}\p{Cs}]{1,255}$/u;

interface LivePath {
  readonly domain: Domain;
  readonly pattern: RegExp;
}

const paths = domains.map((domain): LivePath => {
  const [before = '', after = ''] = domain.http.live.path.split(':id').map(escaped);
  return { domain, pattern: new RegExp(`^${before}([^/]*)${after}$`) };
});

/**
 * `/ws/…/<id>/status?lastVersion=n` → a wish; undefined where no domain has such a path.
 * @throws FazendaError FZ_SUBSCRIPTION_INVALID for a bad id or lastVersion.
 */
export function wishOfUrl(url: string): Wish | undefined {
  const cut = url.indexOf('?');
  const path = cut === -1 ? url : url.slice(0, cut);
  const query = new URLSearchParams(cut === -1 ? '' : url.slice(cut + 1));
  for (const { domain, pattern } of paths) {
    const encoded = pattern.exec(path)?.[1];
    if (encoded === undefined) continue;
    const given = query.getAll('lastVersion');
    if (given.length > 1) throw invalid('lastVersion is given more than once');
    return wish(domain, decoded(encoded), given[0]);
  }
  return undefined;
}

/**
 * `{taskId, lastVersion}` → a wish, the domain told by the name of the id's field.
 * @throws FazendaError FZ_SUBSCRIPTION_INVALID.
 */
export function wishOfMessage(message: unknown): Wish {
  if (!isObject(message)) throw invalid('a subscription is an object');
  const named = domains.filter((domain) => Object.hasOwn(message, domain.http.live.idField));
  const [domain] = named;
  if (!domain || named.length > 1) {
    throw invalid(`a subscription names exactly one of ${domains.map(({ http }) => http.live.idField).join(', ')}`);
  }
  return wish(domain, message[domain.http.live.idField], message.lastVersion);
}

/** True where a handshake's `auth` holds a subscription; it may also hold nothing, or something of others. */
export function holdsWish(auth: unknown): boolean {
  return isObject(auth) && domains.some((domain) => Object.hasOwn(auth, domain.http.live.idField));
}

/** The path of a story, which is also the name of its Socket.IO room. */
export function roomOf({ domain, id }: Wish): string {
  return domain.http.live.path.replace(':id', () => encodeURIComponent(id));
}

function wish(domain: Domain, id: unknown, lastVersion: unknown): Wish {
  const { idField, spelling } = domain.http.live;
  if (typeof id !== 'string' || !ID.test(id)) throw invalid(`${idField} must be 1 to 255 visible characters`);
  return { domain, id: spelling?.(id) ?? id, lastVersion: versionOf(lastVersion) };
}

function versionOf(given: unknown): number {
  if (given === undefined || given === null || given === '') return 0;
  const version = typeof given === 'string' && /^\d{1,10}$/.test(given) ? Number(given) : given;
  if (typeof version !== 'number' || !Number.isInteger(version) || version < 0 || version > VERSION_MAX) {
    throw invalid(`lastVersion must be a whole number from 0 to ${VERSION_MAX}`);
  }
  return version;
}

function decoded(encoded: string): string {
  try {
    return decodeURIComponent(encoded);
  } catch (cause) {
    throw invalid('the id in the path is not well percent-encoded', cause);
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function escaped(text: string): string {
  return text.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&');
}

function invalid(message: string, cause?: unknown): FazendaError {
  return new FazendaError('FZ_SUBSCRIPTION_INVALID', message, {}, cause);
}
