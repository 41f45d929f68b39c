import { withinTrace } from './current';
import { LINKS_MAX, type Span, type SpanStart, type Tracing } from './tracing';

/** One of those for whom a batch is done. */
export interface Member {
  /** Its span: where it has neither a parent nor is a beginning, it belongs to no trace and gets none. */
  readonly span: SpanStart;
  /** True where it begins a trace, if it comes with none. */
  readonly begins?: boolean;
}

/**
 * Does work for many at once: a span in the trace of each, and one for all of it, in a trace of its own, with links
 * both ways. One alone needs no second span, and those that are not sampled need none at all.
 * @param work is given the spans in the order of the members, undefined for who has none
 */
export async function inBatch<Result>(
  tracing: Tracing, whole: Omit<SpanStart, 'parent' | 'links'>, members: readonly Member[], work: (spans: readonly (Span | undefined)[]) => Promise<Result>,
): Promise<Result> {
  const spans = members.map(({ span, begins }) => (span.parent || begins ? tracing.start(span) : undefined));
  const recorded = spans.flatMap((span) => (span?.recording ? [span] : []));
  const [first] = recorded;
  if (!first) return await work(spans);
  const batch = recorded.length > 1 ? tracing.start({ ...whole, links: recorded.slice(0, LINKS_MAX).map(({ context }) => context) }) : undefined;
  if (batch?.recording) for (const span of recorded) span.link(batch.context);
  const all = batch ? [...recorded, batch] : recorded;
  try {
    return await withinTrace((batch ?? first).context, () => work(spans));
  } catch (thrown) {
    for (const span of all) span.fail(thrown);
    throw thrown;
  } finally {
    for (const span of all) span.end();
  }
}
