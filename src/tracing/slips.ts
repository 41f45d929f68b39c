import type { Queryable } from '../facts/postgres';
import type { SlipHandler } from '../notify/queue';
import { StoryTraces } from './stories';
import { storyAttributes } from './messaging';
import { during, tracing } from './tracing';

/** A handler of slips, each in a span of the story that its letter is about; as it is where nothing is recorded. */
export function tracedSlips(handle: SlipHandler, db: Queryable, queue: string): SlipHandler {
  const recording = tracing();
  if (!recording) return handle;
  const stories = new StoryTraces(db);
  return async (slip) => {
    const { ceId, domain, aggregateId: id, event: type } = slip;
    const parent = (await stories.of(domain, [id])).get(id)?.trace;
    if (!parent) return handle(slip);
    const attributes = { 'messaging.operation.type': 'process', 'messaging.operation.name': 'process', 'messaging.destination.name': queue, ...storyAttributes({ domain, id, type }), 'messaging.message.id': ceId };
    return during(recording.start({ name: `process ${queue}`, kind: 'consumer', parent, attributes }), async (span) => {
      const verdict = await handle(slip);
      span.set({ 'fazenda.verdict': verdict.kind });
      return verdict;
    });
  };
}
