import type { IncomingMessage } from 'node:http';
import type { NextFunction, Request, Response } from 'express';
import { withinTrace } from './current';
import { newTrace, parseTraceparent, traceparentText, type TraceContext } from './trace-context';
import { tracing, type Span } from './tracing';

/** Asked every few seconds by machines, and about nobody’s work; or held open, and no request at all. */
const UNTOLD = /^\/(livez|readyz|health|metrics|ws|socket\.io)(\/|$)/;

const traces = new WeakMap<IncomingMessage, TraceContext>();

/**
 * Gives every request its trace, whether or not spans are recorded: the caller's where its header is one, else a new
 * one, and says it in the answer (`traceresponse`, https://www.w3.org/TR/trace-context-2/#traceresponse-header).
 */
export function traceRequests(request: Request, response: Response, next: NextFunction): void {
  const given = givenTrace(request);
  const span = UNTOLD.test(request.path) ? undefined : tracing()?.start({
    name: request.method, kind: 'server', parent: given,
    attributes: { 'http.request.method': request.method, 'url.path': request.path, 'url.scheme': request.protocol, 'client.address': request.ip },
  });
  const trace = span?.recording ? span.context : (given ?? span?.context ?? newTrace());
  traces.set(request, trace);
  response.setHeader('traceresponse', traceparentText(trace));
  if (span?.recording) response.once('close', () => finish(span, request, response));
  withinTrace(trace, next);
}

/** The trace that a request is part of. */
export function traceOf(request: IncomingMessage): TraceContext {
  return traces.get(request) ?? givenTrace(request) ?? newTrace();
}

/** One that is sent twice, or is none, is ignored, as the specification asks. */
function givenTrace(request: IncomingMessage): TraceContext | undefined {
  const [one, ...more] = request.headersDistinct.traceparent ?? [];
  return more.length > 0 ? undefined : parseTraceparent(one);
}

function finish(span: Span, request: Request, response: Response): void {
  const route = request.route as { path?: unknown } | undefined;
  const pattern = typeof route?.path === 'string' ? route.path : undefined;
  if (pattern) span.rename(`${request.method} ${pattern}`);
  const { statusCode } = response;
  span.set({ 'http.route': pattern, 'http.response.status_code': statusCode, 'fazenda.correlation_id': String(response.getHeader('x-correlation-id') ?? '') });
  if (!response.writableFinished) span.fail(new Error('the caller hung up'));
  else if (statusCode >= 500) span.fail(new Error(`answered ${statusCode}`));
  span.end();
}
