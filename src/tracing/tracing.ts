import { currentTrace, withinTrace } from './current';
import type { TraceContext } from './trace-context';

/**
 * What fazenda needs of a tracing library, and no more. The library stands behind it (`sdk.ts`) and is loaded only
 * where spans are sent somewhere; where they are not, this file costs one look at a variable.
 */

export type Attributes = Readonly<Record<string, string | number | boolean | undefined>>;

/** As OpenTelemetry names them: https://opentelemetry.io/docs/specs/otel/trace/api/#spankind */
export type SpanKind = 'internal' | 'server' | 'client' | 'producer' | 'consumer';

export interface SpanStart {
  /** Few different ones: no ids, which are attributes. */
  readonly name: string;
  readonly kind: SpanKind;
  /** Without one it is the root of a trace of its own. */
  readonly parent?: TraceContext | undefined;
  /** Bounded by `LINKS_MAX`; those beyond are left out. */
  readonly links?: readonly TraceContext[];
  readonly attributes?: Attributes;
  /** Milliseconds since 1970; now where none is given. */
  readonly startMs?: number;
}

export interface Span {
  readonly context: TraceContext;
  /** False where the sampler left it out: nothing that is told it is kept. */
  readonly recording: boolean;
  rename(name: string): void;
  set(attributes: Attributes): void;
  link(to: TraceContext): void;
  /** Marks it as failed; say so before its end. */
  fail(thrown: unknown): void;
  /** @param endMs milliseconds since 1970; now where none is given */
  end(endMs?: number): void;
}

export interface Tracing {
  start(span: SpanStart): Span;
  /** Sends what is not sent yet, for a short time, and records nothing any more. */
  stop(): Promise<void>;
}

/** Links of one span: the limit of OpenTelemetry's own preset. */
export const LINKS_MAX = 128;

let used: Tracing | undefined;

/** Undefined where nothing is recorded. */
export function tracing(): Tracing | undefined {
  return used;
}

/** Records from now on, or, given nothing, no more. */
export function useTracing(next: Tracing | undefined): void {
  used = next;
}

/** Does work in a span below the current one; plainly where there is none, or nothing is recorded. */
export function inSpan<Result>(start: Omit<SpanStart, 'parent'>, work: (span?: Span) => Promise<Result>): Promise<Result> {
  const parent = used && currentTrace();
  return used && parent ? during(used.start({ ...start, parent }), work) : work();
}

/** Does work in a span, and ends it with the work. */
export async function during<Result>(span: Span, work: (span: Span) => Promise<Result>): Promise<Result> {
  try {
    return await withinTrace(span.context, () => work(span));
  } catch (thrown) {
    span.fail(thrown);
    throw thrown;
  } finally {
    span.end();
  }
}
