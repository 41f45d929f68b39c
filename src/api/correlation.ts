import { randomBytes, randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { NextFunction, Request, Response } from 'express';
import { FazendaError } from '../errors';

/** Ids that callers send in headers: 1 to 255 visible ASCII characters, as HTTP field values allow. */
const HEADER_ID = /^[\x21-\x7e]{1,255}$/;

const CORRELATION_HEADER = 'x-correlation-id';

/**
 * An id from a header, or undefined where the header is not there.
 * @throws FazendaError FZ_HEADER_INVALID for an empty, too long or invisible one, or one sent twice.
 */
export function headerId(request: IncomingMessage, name: string): string | undefined {
  const given = request.headersDistinct[name];
  if (given === undefined) return undefined;
  const [id, ...more] = given;
  if (id === undefined || more.length > 0 || !HEADER_ID.test(id)) {
    throw new FazendaError('FZ_HEADER_INVALID', `${name} is not one id of 1 to 255 visible characters`);
  }
  return id;
}

/**
 * Gives every request its correlation id, the caller's or a new one, and says it in the answer's header,
 * where `correlationOf` finds it. A faulty one is a 400, whose answer carries a new id.
 */
export function correlate(request: Request, response: Response, next: NextFunction): void {
  response.setHeader(CORRELATION_HEADER, randomUUID());
  const given = headerId(request, CORRELATION_HEADER);
  if (given) response.setHeader(CORRELATION_HEADER, given);
  next();
}

export function correlationOf(response: Response): string {
  return String(response.getHeader(CORRELATION_HEADER));
}

/** Whether the caller named it; one that was made for a request may be the id of what the request makes. */
export function correlationWasGiven(request: IncomingMessage): boolean {
  return request.headersDistinct[CORRELATION_HEADER] !== undefined;
}

/** https://www.w3.org/TR/trace-context/#traceparent-header: version 00, ids not all zero. */
const TRACEPARENT = /^00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}$/;

/** The caller's trace where it has one; a faulty header is ignored, as the specification asks, and a new trace begins. */
export function traceparentOf(request: IncomingMessage): string {
  const given = request.headersDistinct['traceparent'];
  const [one] = given ?? [];
  if (given?.length === 1 && one !== undefined && TRACEPARENT.test(one)) return one;
  return `00-${randomBytes(16).toString('hex')}-${randomBytes(8).toString('hex')}-01`;
}
