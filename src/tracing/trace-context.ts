import { randomBytes } from 'node:crypto';

/** Where in a trace something happens, as W3C Trace Context says it. Hex, lower case. */
export interface TraceContext {
  /** 16 bytes. */
  readonly traceId: string;
  /** 8 bytes: the span that is the parent of whatever is done from here on. */
  readonly spanId: string;
  /** False where whoever began the trace chose not to record it; nobody records it then. */
  readonly sampled: boolean;
}

/** https://www.w3.org/TR/trace-context/#traceparent-header: version 00, ids not all zero. */
const TRACEPARENT = /^00-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})$/;
/** The only flag of version 00. */
const SAMPLED = 1;

/** What a `traceparent` says; undefined where there is none, or one that is none. */
export function parseTraceparent(text: string | null | undefined): TraceContext | undefined {
  const [, traceId, spanId, flags] = TRACEPARENT.exec(text ?? '') ?? [];
  if (traceId === undefined || spanId === undefined || flags === undefined) return undefined;
  return { traceId, spanId, sampled: (Number.parseInt(flags, 16) & SAMPLED) === SAMPLED };
}

export function traceparentText({ traceId, spanId, sampled }: TraceContext): string {
  return `00-${traceId}-${spanId}-${sampled ? '01' : '00'}`;
}

/** The beginning of a trace of which nobody has heard yet. */
export function newTrace(): TraceContext {
  return { traceId: randomBytes(16).toString('hex'), spanId: randomBytes(8).toString('hex'), sampled: true };
}
