import { AsyncLocalStorage } from 'node:async_hooks';
import type { TraceContext } from './trace-context';

/**
 * The trace that the running code works for. On Node 20 a storage that was never entered costs nothing, and one that
 * was makes every promise of its process dearer: so ingress, worker and relay enter it only where traces are recorded.
 */
const storage = new AsyncLocalStorage<TraceContext>();

export function currentTrace(): TraceContext | undefined {
  return storage.getStore();
}

/** Runs work, and whatever it awaits or starts, as part of a trace. */
export function withinTrace<Result>(trace: TraceContext, work: () => Result): Result {
  return storage.run(trace, work);
}

/** What a log line says of the trace that it belongs to; nothing outside of one. */
export function traceFields(): { readonly trace_id: string; readonly span_id: string } | undefined {
  const trace = storage.getStore();
  return trace && { trace_id: trace.traceId, span_id: trace.spanId };
}
