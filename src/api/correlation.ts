import { randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { NextFunction, Request, Response } from 'express';
import { FazendaError } from '../errors';
import { traceOf } from '../tracing/requests';
import { traceparentText } from '../tracing/trace-context';

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

/** What the records of a request say of its trace: the caller's, or a new one; below the request's own span where that is recorded. */
export function traceparentOf(request: IncomingMessage): string {
  return traceparentText(traceOf(request));
}
