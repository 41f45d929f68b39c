import type { Fact } from '../../workflows/kernel/fact';
import { storyAttributes } from './messaging';
import { parseTraceparent } from './trace-context';
import { tracing } from './tracing';

/** A fact as a gateway reads it. */
export type TracedFact = Fact & { readonly traceparent?: string | null };

/** Tells of facts that were pushed to followers: from the look at the store to the last of them. */
export function tellPushed(domain: string, id: string, facts: readonly TracedFact[], followers: number, startMs: number): void {
  const recording = tracing();
  if (!recording) return;
  for (const { type, version, traceparent } of facts) {
    const parent = parseTraceparent(traceparent);
    if (!parent) continue;
    recording.start({
      name: `push ${type}`, kind: 'producer', parent, startMs,
      attributes: { ...storyAttributes({ domain, id, version, type }), 'messaging.operation.type': 'send', 'fazenda.followers': followers },
    }).end();
  }
}
