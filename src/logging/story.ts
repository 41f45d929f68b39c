import { parseTraceparent } from '../tracing/trace-context';

/**
 * Whose story a line is about: every such line names these two, so that the lines of all processes about one request
 * can be put together, and with its trace.
 */
export interface StoryIds {
  readonly correlation_id?: string;
  readonly trace_id?: string;
}

/** The ids as a line has them; what is not known is left out. */
export function storyIds({ correlationId, traceparent }: { correlationId?: string | null | undefined; traceparent?: string | null | undefined }): StoryIds {
  const trace = parseTraceparent(traceparent)?.traceId;
  return { ...(correlationId && { correlation_id: correlationId }), ...(trace && { trace_id: trace }) };
}

/** Where a record lies, and whose story its headers say it is about. */
export function aboutRecord({ topic, partition, offset, headers }: {
  readonly topic: string; readonly partition: number; readonly offset: string; readonly headers: Readonly<Record<string, string>>;
}): StoryIds & { readonly topic: string; readonly partition: number; readonly offset: string } {
  const correlationId = headers.correlation_id ?? headers['x-correlation-id'];
  return { topic, partition, offset, ...storyIds({ correlationId, traceparent: headers.traceparent }) };
}
