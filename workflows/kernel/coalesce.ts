import { CancellationScope, condition } from '@temporalio/workflow';

/** A call names the story and the version that it serves; its answer is found by these two, never by position. */
export interface Keyed {
  readonly id: string;
  readonly version: number;
}

/**
 * Half of the 512 KiB at which a Temporal server warns of a payload; a batch is cut before it gets there.
 * Source: DESIGN, "a batch of facts stays under 256 KiB".
 */
export const BATCH_BYTES_MAX = 256 * 1024;

interface Waiting<Request, Answer> {
  readonly request: Request;
  readonly bytes: number;
  resolve(answer: Answer): void;
  reject(reason: unknown): void;
}

/**
 * Calls made in one activation go out as one: what DataLoader does, here with a Temporal condition as
 * the end of the tick, because conditions are looked at only after every microtask of the activation
 * has run. A story on its own pays nothing for it; fifty stories pay for one local activity.
 */
export function coalesce<Request extends Keyed, Answer extends Keyed>(
  send: (requests: Request[]) => Promise<Answer[]>,
): (request: Request) => Promise<Answer>;
/** @param read finds each one's answer in that to all, which need not be a list */
export function coalesce<Request extends Keyed, Answer extends Keyed, Answers>(
  send: (requests: Request[]) => Promise<Answers>, read: (answers: Answers) => (request: Request) => Answer | undefined,
): (request: Request) => Promise<Answer>;
export function coalesce<Request extends Keyed, Answer extends Keyed>(
  send: (requests: Request[]) => Promise<Answer[]>, read: (answers: Answer[]) => (request: Request) => Answer | undefined = byKey,
): (request: Request) => Promise<Answer> {
  let waiting: Waiting<Request, Answer>[] = [];
  let listening = false;

  async function sendWhenQuiet(): Promise<void> {
    await condition(() => waiting.length > 0);
    listening = false;
    const due = waiting;
    waiting = [];
    for (const batch of cutByBytes(due)) void deliver(batch);
  }

  async function deliver(batch: Waiting<Request, Answer>[]): Promise<void> {
    try {
      const answerTo = read(await send(batch.map((one) => one.request)));
      for (const one of batch) {
        const answer = answerTo(one.request);
        if (answer) one.resolve(answer);
        else one.reject(new Error(`no answer for ${keyOf(one.request)}`));
      }
    } catch (cause) {
      // Cancellation and failure belong to whoever asked; nothing is decided here.
      for (const one of batch) one.reject(cause);
    }
  }

  return (request) =>
    new Promise<Answer>((resolve, reject) => {
      waiting.push({ request, bytes: JSON.stringify(request).length, resolve, reject });
      if (listening) return;
      listening = true;
      // A story that is interrupted must not take the rest of its batch with it.
      void CancellationScope.nonCancellable(sendWhenQuiet);
    });
}

/** A list of answers, each of which names the story and the version that it is for. */
export function byKey<Answer extends Keyed>(answers: readonly Answer[]): (request: Keyed) => Answer | undefined {
  const byKeys = new Map<string, Answer>();
  for (const answer of answers) byKeys.set(keyOf(answer), answer);
  return (request) => byKeys.get(keyOf(request));
}

function keyOf(one: Keyed): string {
  return `${one.version} ${one.id}`;
}

function cutByBytes<Request, Answer>(due: Waiting<Request, Answer>[]): Waiting<Request, Answer>[][] {
  const batches: Waiting<Request, Answer>[][] = [];
  let bytes = Infinity;
  for (const one of due) {
    if (bytes + one.bytes > BATCH_BYTES_MAX) {
      batches.push([]);
      bytes = 0;
    }
    batches.at(-1)?.push(one);
    bytes += one.bytes;
  }
  return batches;
}
