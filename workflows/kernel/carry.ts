import { allHandlersFinished, condition, defineSignal, log, setHandler } from '@temporalio/workflow';
import type { Fact, Mail } from './fact';
import { Journey, local, StoryLeft } from './journey';
import { beginning, type AnyState, type Lifecycle } from './lifecycle';
import type { Opened } from './recording';

export type Story<State extends AnyState, F extends Fact, Limits, M extends Mail> = (
  journey: Journey<State, F, Limits, M>,
) => Promise<void>;

/** Mail for a story. It lies in Postgres already; the signal only spares the story from looking. */
export const mailSignal = defineSignal<[Mail]>('mail');

/** What a finished workflow shows as its result. */
export interface Ending {
  readonly status: string;
  readonly version: number;
}

/** Runs one story in the workflow that is named after its aggregate, from whatever is stored to its end. */
export async function carryOne<State extends AnyState, F extends Fact, Limits, M extends Mail>(
  lifecycle: Lifecycle<State, F>,
  story: Story<State, F, Limits, M>,
  id: string,
): Promise<Ending> {
  const early: M[] = [];
  let deliver = (mail: M): void => void early.push(mail);
  setHandler(mailSignal, (mail) => deliver(mail as M));

  const [opened] = await local.openStories(lifecycle.domain, [id]);
  if (!opened) throw new Error(`${lifecycle.domain} ${id} was not opened`);
  const journey = new Journey<State, F, Limits, M>(
    lifecycle, id, opened.limits as Limits, opened as Opened<Limits>, beginning(lifecycle), false);
  early.forEach((mail) => journey.deliver(mail));
  deliver = (mail) => journey.deliver(mail);

  // An id without a first fact has no story; whoever started it by hand is told so by the result.
  if (journey.state.version > 0) await story(journey);
  await condition(allHandlersFinished);
  return { status: journey.state.status, version: journey.state.version };
}

/**
 * Runs many stories as coroutines of one workflow. Their records and local effects travel together;
 * a story that must wait, or that throws what nobody expected, goes on in a workflow of its own.
 */
export async function carryMany<State extends AnyState, F extends Fact, Limits, M extends Mail>(
  lifecycle: Lifecycle<State, F>,
  story: Story<State, F, Limits, M>,
  ids: readonly string[],
): Promise<{ finished: number; left: number }> {
  const opened = await local.openStories(lifecycle.domain, ids);
  let left = 0;
  await Promise.all(
    opened.map(async (one) => {
      const journey = new Journey<State, F, Limits, M>(
        lifecycle, one.id, one.limits as Limits, one as Opened<Limits>, beginning(lifecycle), true);
      try {
        await story(journey);
      } catch (cause) {
        left += 1;
        if (cause instanceof StoryLeft) return;
        log.warn('a story left its lane', { domain: lifecycle.domain, aggregateId: one.id, cause: String(cause) });
        await local.startOwnWorkflows(lifecycle.domain, [one.id]);
      }
    }),
  );
  return { finished: opened.length - left, left };
}
