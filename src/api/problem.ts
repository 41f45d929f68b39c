import type { NextFunction, Request, Response } from 'express';
import { FazendaError, textOf, type ErrorCode } from '../errors';
import type { Logger } from '../log';
import { warnSparingly } from '../logging/sparing';
import { currentTrace } from '../tracing/current';
import { correlationOf } from './correlation';
import { sendReply, type Reply } from './reply';

/** https://www.rfc-editor.org/rfc/rfc9457 */
export const PROBLEM_TYPE = 'application/problem+json; charset=utf-8';

/** What an answer says to try again after, seconds, where the fault does not know better. */
const RETRY_AFTER_S = 2;

/** A fault as its caller reads it. `type` is stable and needs no network; the code is the last part of it. */
export function problemReply(fault: FazendaError, correlationId: string, more: object = {}): Reply {
  const { code, message, kind, details } = fault;
  const trace = currentTrace();
  const document = {
    type: `urn:fazenda:problem:${code}`,
    title: titleOf(code),
    status: kind.status,
    detail: message,
    code,
    next: kind.next,
    ...(details.fields && { errors: details.fields }),
    correlationId,
    ...(trace && { traceId: trace.traceId }),
    ...more,
  };
  const headers: Record<string, string> = { 'content-type': PROBLEM_TYPE };
  if (kind.retryable && (kind.status === 503 || kind.status === 409)) {
    headers['retry-after'] = String(Math.ceil(details.retryAfterS ?? RETRY_AFTER_S));
  }
  if (kind.status === 401 || details.bearer) headers['www-authenticate'] = challenge(details);
  return { status: kind.status, headers, body: JSON.stringify(document) };
}

/** https://www.rfc-editor.org/rfc/rfc6750#section-3: who sent no token learns of no error. */
function challenge({ bearer, scope }: FazendaError['details']): string {
  return ['Bearer realm="fazenda"', ...(bearer ? [`error="${bearer}"`] : []), ...(scope ? [`scope="${scope}"`] : [])].join(', ');
}

/** `FZ_KAFKA_AWAY` → `Kafka away`: the same for every case of a code, as `title` has to be. */
function titleOf(code: ErrorCode): string {
  const words = code.replace(/^FZ_/, '').replaceAll('_', ' ').toLowerCase();
  return words.charAt(0).toUpperCase() + words.slice(1);
}

/** Faults of reading a request, as Express and body-parser name them. */
const READING: Readonly<Record<string, ErrorCode>> = {
  'entity.too.large': 'FZ_BODY_TOO_LARGE',
  'encoding.unsupported': 'FZ_MEDIA_TYPE',
  'request.aborted': 'FZ_BODY_NOT_JSON',
  'request.size.invalid': 'FZ_BODY_NOT_JSON',
};

/**
 * Whatever was thrown, as a fault with a code. What nobody expected becomes FZ_INTERNAL: it is logged in
 * full, and the caller learns nothing of it but the correlation id.
 */
export function faultOf(thrown: unknown, log: Logger, correlationId: string): FazendaError {
  if (thrown instanceof FazendaError) {
    if (thrown.kind.status >= 500) warnSparingly(log, thrown.code, { err: thrown, cause: textOf(thrown.cause), correlation_id: correlationId }, thrown.line);
    return thrown;
  }
  const code = READING[fieldOf(thrown, 'type') ?? ''];
  if (code) return new FazendaError(code, 'the body could not be read', {}, thrown);
  if (thrown instanceof URIError) return new FazendaError('FZ_NOT_FOUND', 'the path is not percent-encoded UTF-8', {}, thrown);
  // An unreadable compressed body has no type of its own; its caller is at fault all the same.
  if (thrown instanceof Error && /^Z_/.test(fieldOf(thrown, 'code') ?? '')) {
    return new FazendaError('FZ_BODY_NOT_JSON', 'the body could not be decompressed', {}, thrown);
  }
  log.error({ err: thrown, correlation_id: correlationId }, 'a request failed in a way nobody expected');
  return new FazendaError('FZ_INTERNAL', 'something went wrong here', {}, thrown);
}

function fieldOf(thrown: unknown, name: 'type' | 'code'): string | undefined {
  if (!(thrown instanceof Error) || !(name in thrown)) return undefined;
  const value = (thrown as Error & Record<string, unknown>)[name];
  return typeof value === 'string' ? value : undefined;
}

/** The last handler: turns what was thrown into an answer. */
export function answerFaults(log: Logger) {
  return (thrown: unknown, _request: Request, response: Response, next: NextFunction): void => {
    if (response.headersSent) return next(thrown);
    const correlationId = correlationOf(response);
    sendReply(response, problemReply(faultOf(thrown, log, correlationId), correlationId));
  };
}
