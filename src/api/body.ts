import express, { type NextFunction, type Request, type Response } from 'express';
import type { ZodType } from 'zod';
import { FazendaError } from '../errors';
import { DEPTH_MAX, depthOf, textFault } from '../text';

/** Largest body that is read, bytes, after decompression. */
export const BODY_BYTES_MAX = 262_144;

const utf8 = new TextDecoder('utf-8', { fatal: true });
const readBytes = express.raw({ type: () => true, limit: BODY_BYTES_MAX });

/** Middlewares for routes with a body: after them `request.body` holds its bytes, if it had any. */
export const readBody = [
  (request: Request, _response: Response, next: NextFunction): void => {
    if (hasBody(request)) requireJson(request);
    next();
  },
  readBytes,
];

function hasBody({ headers }: Request): boolean {
  return headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0 || headers['content-type'] !== undefined;
}

/** Only `application/json`, and of its charsets only UTF-8, which is the only one JSON has (RFC 8259 §8.1). */
function requireJson({ headers }: Request): void {
  const [type = '', ...parameters] = (headers['content-type'] ?? '').split(';').map((part) => part.trim().toLowerCase());
  const charset = parameters.find((parameter) => parameter.startsWith('charset='))?.slice('charset='.length).replaceAll('"', '');
  if (type === 'application/json' && (charset === undefined || charset === 'utf-8' || charset === 'utf8')) return;
  throw new FazendaError('FZ_MEDIA_TYPE', type ? `the body is ${type}${charset ? ` in ${charset}` : ''}` : 'the body has no content-type');
}

/**
 * A request's body as JSON that every store can keep.
 * @throws FazendaError FZ_BODY_NOT_JSON, FZ_BODY_TOO_DEEP, FZ_TEXT_UNSTORABLE
 */
export function parseBody(bytes: unknown): unknown {
  if (!Buffer.isBuffer(bytes) || bytes.length === 0) throw new FazendaError('FZ_BODY_NOT_JSON', 'the body is empty');
  const document = parseJson(bytes);
  if (depthOf(document) > DEPTH_MAX) throw new FazendaError('FZ_BODY_TOO_DEEP', `the body is nested deeper than ${DEPTH_MAX} levels`);
  const fault = textFault(document);
  if (fault) throw new FazendaError('FZ_TEXT_UNSTORABLE', `${fault.path || 'the body'} ${fault.message}`, { fields: [fault] });
  return document;
}

function parseJson(bytes: Buffer): unknown {
  try {
    return JSON.parse(utf8.decode(bytes)) as unknown;
  } catch (cause) {
    // Either not UTF-8 or not JSON: both are the body's own fault.
    throw new FazendaError('FZ_BODY_NOT_JSON', 'the body is no UTF-8 JSON document', {}, cause);
  }
}

/** @throws FazendaError FZ_SCHEMA_INVALID naming every field that is wrong */
export function validBody(schema: ZodType, document: unknown): unknown {
  const parsed = schema.safeParse(document);
  if (parsed.success) return parsed.data;
  const fields = parsed.error.issues.map(({ path, message }) => ({ path: path.map(String).join('.'), message }));
  const named = [...new Set(fields.map(({ path }) => path || 'the body'))].join(', ');
  throw new FazendaError('FZ_SCHEMA_INVALID', `these do not fit: ${named}`, { fields });
}
