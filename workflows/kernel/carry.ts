import { allHandlersFinished, condition, defineQuery, defineSignal, defineUpdate, log, proxySinks, setHandler, type Sinks } from '@temporalio/workflow';
import type { Fact, Mail } from './fact';
import { Journey, local, StoryLeft } from './journey';
import { beginning, type AnyState, type Lifecycle, type Placed, type Verdict } from './lifecycle';
import { STATE_QUERY } from './query';
import type { Begun, Opened } from './recording';

export type Story<State extends AnyState, F extends Fact, Limits, M extends Mail> = (
  journey: Journey<State, F, Limits, M>,
) => Promise<void>;

/** Mail for a story. It lies in Postgres already; the signal only spares the story from looking. */
export const mailSignal = defineSignal<[Mail]>('mail');

/** Mail whose sender waits for what becomes of it; undefined where the story was still open after `ANSWER_WITHIN_MS`. */
export const mailUpdate = defineUpdate<Verdict | undefined, [Mail]>('ask');

/** The state that the run has folded; null before its facts are loaded. */
export const stateQuery = defineQuery<Placed<AnyState> | null>(STATE_QUERY);

/** How long an update waits for its story. Source: CONTRACTS §7, "PAGO waits up to 10 s for its outcome". */
export const ANSWER_WITHIN_MS = 10_000;

/** What is said to the process that runs stories, and is in no history. */
export interface StorySinks extends Sinks {
  stories: {
    /** The workflow, of one story or of many, is about to end well. */
    over(): void;
  };
}
const { stories } = proxySinks<StorySinks>();

/** What a finished workflow shows as its result. */
export interface Ending {
  readonly status: string;
  readonly version: number;
}

/**
 * Runs one story in the workflow that is named after its aggregate, from whatever is stored to its end.
 * @param begun what is known of it; without it, as when somebody starts it by hand, the story is opened
 */
export async function carryOne<State extends AnyState, F extends Fact, Limits, M extends Mail>(
  lifecycle: Lifecycle<State, F>,
  story: Story<State, F, Limits, M>,
  id: string,
  begun?: Begun,
): Promise<Ending> {
  const early: M[] = [];
  let journey: Journey<State, F, Limits, M> | undefined = undefined as Journey<State, F, Limits, M> | undefined;
  const deliver = (mail: M): void => (journey ? journey.deliver(mail) : void early.push(mail));
  const verdictOn = (mail: M): Verdict | undefined => journey && lifecycle.verdict?.(journey.state, mail.type);
  setHandler(stateQuery, () => journey?.state ?? null);
  setHandler(mailSignal, (mail) => deliver(mail as M));
  setHandler(mailUpdate, async (mail) => {
    deliver(mail as M);
    await condition(() => isFinal(verdictOn(mail as M)), ANSWER_WITHIN_MS);
    return verdictOn(mail as M);
  });

  const [opened] = begun ? openedOf(begun) : await local.openStories(lifecycle.domain, [id]);
  if (!opened) throw new Error(`${lifecycle.domain} ${id} was not opened`);
  journey = new Journey<State, F, Limits, M>(
    lifecycle, id, opened.limits as Limits, opened as Opened<Limits>, beginning(lifecycle), false);
  for (const mail of early) journey.deliver(mail);

  // An id without a first fact has no story; whoever started it by hand is told so by the result.
  if (journey.state.version > 0) await story(journey);
  await condition(allHandlersFinished);
  stories.over();
  return { status: journey.state.status, version: journey.state.version };
}

function openedOf<Limits>({ limits, stories }: Begun): Opened<Limits>[] {
  return stories.map(({ id, first }) => ({ id, version: 1, facts: [first], mail: [], limits: limits as Limits }));
}

function isFinal(verdict: Verdict | undefined): boolean {
  return verdict === 'granted' || verdict === 'refused';
}

/**
 * Runs many stories as coroutines of one workflow. Their records and local effects travel together;
 * a story that must wait, or that throws what nobody expected, goes on in a workflow of its own.
 * @param begun what is known of some of them; the others are opened
 */
export async function carryMany<State extends AnyState, F extends Fact, Limits, M extends Mail>(
  lifecycle: Lifecycle<State, F>,
  story: Story<State, F, Limits, M>,
  ids: readonly string[],
  begun?: Begun,
): Promise<{ finished: number; left: number }> {
  let left = 0;
  async function carry(opened: Opened<Limits>): Promise<void> {
    const journey = new Journey<State, F, Limits, M>(lifecycle, opened.id, opened.limits, opened, beginning(lifecycle), true);
    try {
      if (journey.state.version > 0) await story(journey);
    } catch (cause) {
      left += 1;
      if (cause instanceof StoryLeft) return;
      log.warn('a story left its lane', { domain: lifecycle.domain, aggregateId: opened.id, cause: String(cause) });
      await journey.leave();
    }
  }
  const known = begun ? openedOf<Limits>(begun) : [];
  const aboard = known.map(carry);
  const begunIds = new Set(known.map(({ id }) => id));
  for (let waiting = ids.filter((id) => !begunIds.has(id)); waiting.length > 0; ) {
    const opened = await local.openStories(lifecycle.domain, waiting);
    if (opened.length === 0) throw new Error(`${lifecycle.domain}: none of ${waiting.length} stories was opened`);
    for (const one of opened) aboard.push(carry(one as Opened<Limits>));
    waiting = waiting.slice(opened.length);
  }
  await Promise.all(aboard);
  stories.over();
  return { finished: aboard.length - left, left };
}
