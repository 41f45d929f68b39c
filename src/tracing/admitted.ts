import type { Chunk } from '../kafka/port';
import type { Sorted } from '../ingress/sort';
import { inChunk } from './consumed';
import { storyAttributes } from './messaging';
import { parseTraceparent, traceparentText } from './trace-context';
import { tracing } from './tracing';

/**
 * Takes a chunk in, each of its records in a span of its own. A story whose beginning came without a trace gets one
 * here, which its first fact keeps; what is filtered is our own echo, and not worth a span.
 * @param work is given the records, and gives the fate of each
 */
export async function inIngressSpans(group: string, chunk: Chunk, sorted: readonly Sorted[], work: (sorted: readonly Sorted[]) => Promise<readonly string[]>): Promise<void> {
  const recording = tracing();
  if (!recording) return void (await work(sorted));
  const rules = {
    begins: (at: number) => sorted[at]?.kind === 'start',
    skips: (at: number) => sorted[at]?.kind === 'filtered',
  };
  await inChunk(recording, group, chunk, rules, async (spans) => {
    const fates = await work(sorted.map((one, at) => {
      const span = spans[at];
      if (one.kind !== 'start' || !span || parseTraceparent(one.origin.traceparent)) return one;
      return { ...one, origin: { ...one.origin, traceparent: traceparentText(span.context) } };
    }));
    for (const [at, fate] of fates.entries()) {
      const one = sorted[at];
      const id = one && 'id' in one ? one.id : undefined;
      spans[at]?.set({ 'fazenda.fate': fate, ...storyAttributes({ id, type: one?.kind === 'start' ? one.fact.type : undefined }) });
    }
  });
}
