import { hash } from 'node:crypto';
import { parse } from 'uuid';

/**
 * One chain of ids: business id → workflow id → `ce_id` → idempotency key of each effect. None comes
 * from an offset, a run, a retry or a clock, so that whoever tells a fact again tells the same one.
 */

/** The namespace of every UUIDv5 here; it never changes. */
export const FAZENDA_NAMESPACE = '6ba7b0c2-5d0e-5f43-9a57-fa2e0da00001';
const NAMESPACE_BYTES = parse(FAZENDA_NAMESPACE);
/** Of the digit that tells the variant two bits are set, 10xx. */
const VARIANTS = '89ab';

/**
 * UUIDv5 (RFC 9562 §5.5). Every fact has one, and the library's, which makes an object of each hash, took three times
 * as long.
 */
function uuidv5(name: string): string {
  const digest = hash('sha1', Buffer.concat([NAMESPACE_BYTES, Buffer.from(name, 'utf8')]), 'hex');
  const variant = VARIANTS[parseInt(digest.charAt(16), 16) & 3] ?? '';
  return `${digest.slice(0, 8)}-${digest.slice(8, 12)}-5${digest.slice(13, 16)}-${variant}${digest.slice(17, 20)}-${digest.slice(20, 32)}`;
}

/** `ce_id` of version n of an aggregate. */
export function factId(domain: string, aggregateId: string, version: number): string {
  return uuidv5(`${domain}/${aggregateId}/${version}`);
}

/** `ce_id` of a command about an aggregate: asking twice for the same thing is asking once. */
export function commandId(domain: string, aggregateId: string, type: string): string {
  return uuidv5(`${domain}/${aggregateId}/${type}`);
}

/** `ce_id` of what is said of a window in its n-th revision. */
export function windowId(stream: string, start: string, revision: number): string {
  return uuidv5(`windows/${stream}/${start}/${revision}`);
}

/** The workflow that is named after an aggregate. */
export function workflowId(domain: string, aggregateId: string): string {
  return `${domain}/${aggregateId}`;
}

/** The workflow of a lane, named after who is aboard. The prefix is no domain's name, so that no aggregate can be called like a lane. */
export function laneWorkflowId(domain: string, ids: readonly string[]): string {
  return `lane/${domain}/${uuidv5(`${domain}/lane/${JSON.stringify([...ids].sort())}`)}`;
}

/** `ce_source` of our own records; a source that starts with `/fazenda` is ours. */
export function sourceOf(domain: string): string {
  return `/fazenda/${domain}`;
}

export function isOurs(source: string | undefined): boolean {
  return source !== undefined && /^\/fazenda(\/|$)/.test(source);
}
