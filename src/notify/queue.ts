/**
 * What notifications need of a queue, and no more: RabbitMQ has it, and where there is none a Kafka topic does
 * (test/notifications-queue.test.ts holds both to it). Slips may come twice, never get lost.
 */

/** A note that a letter is to be sent. The letter itself stays in Postgres, so that no broker keeps addresses. */
export interface Slip {
  /** `ce_id` of the fact; the letter's key, and what its `Message-ID` is made of. */
  readonly ceId: string;
  readonly domain: string;
  readonly aggregateId: string;
  readonly event: string;
}

/** The domain of every `Message-ID`; it never changes, wherever fazenda runs. */
const MESSAGE_ID_DOMAIN = 'fazenda';

/** `Message-ID` of the letter about a fact, the same whoever sends it. */
export function messageIdOf(ceId: string): string {
  return `<${ceId}@${MESSAGE_ID_DOMAIN}>`;
}

/** How long a slip is put off, ms; each is a queue of its own, because in one of mixed delays the long ones hold up the short. */
export const DELAYS_MS = [1_000, 10_000, 60_000] as const;
export type DelayMs = (typeof DELAYS_MS)[number];

/** Names of the queues, or of the topics that stand in for them. */
export const QUEUE = 'notifications';
export const DEAD_QUEUE = 'notifications.dead';
export const delayQueue = (delayMs: DelayMs): string => `${QUEUE}.after-${delayMs / 1_000}s`;

export type DeadReason = 'perhaps-sent' | 'refused' | 'gave-up' | 'unreadable' | 'unknown';

/** What a slip's handler wants done with it. */
export type Verdict =
  | { readonly kind: 'done' }
  | { readonly kind: 'again'; readonly afterMs: DelayMs }
  | { readonly kind: 'dead'; readonly reason: DeadReason; readonly detail: string };

/** A rejection means "not known": the slip comes again. */
export type SlipHandler = (slip: Slip) => Promise<Verdict>;

export interface SlipQueue {
  /**
   * Resolves when the broker has each of them safe.
   * @throws FazendaError FZ_QUEUE_AWAY where it did not say so in time; some may be in.
   */
  put(slips: readonly Slip[]): Promise<void>;
  /**
   * Hands slips to the handler, some at a time, for ever, also over absences of the broker. A verdict is safe with
   * the broker before its slip leaves the queue. Resolves when it has begun, or is looking for the broker.
   */
  take(handle: SlipHandler): Promise<void>;
  /** Lets what is in hand end. */
  stop(): Promise<void>;
}

/** The body of a message. */
export function slipText(slip: Slip): string {
  const { ceId, domain, aggregateId, event } = slip;
  return JSON.stringify({ ceId, domain, aggregateId, event });
}

/** A message's body as a slip; undefined where somebody else wrote something else. */
export function slipOf(bytes: Buffer): Slip | undefined {
  let value: unknown;
  try {
    value = JSON.parse(bytes.toString('utf8'));
  } catch {
    return undefined; // Its own fault: it is put aside as unreadable.
  }
  if (typeof value !== 'object' || value === null) return undefined;
  const { ceId, domain, aggregateId, event } = value as Partial<Record<keyof Slip, unknown>>;
  if (typeof ceId !== 'string' || !UUID.test(ceId)) return undefined;
  if (typeof domain !== 'string' || typeof aggregateId !== 'string' || typeof event !== 'string') return undefined;
  return { ceId, domain, aggregateId, event };
}

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/** Why and when a slip died: headers of its dead letter, and for whoever looks at it also in its body. */
export type Death = { readonly reason: string; readonly detail: string; readonly at: string };

export function deathOf(verdict: Extract<Verdict, { kind: 'dead' }>, at: Date): Death {
  return { reason: verdict.reason, detail: verdict.detail.slice(0, DETAIL_MAX), at: at.toISOString() };
}

/** What is no slip stays as it came. */
export function deadBody(bytes: Buffer, death: Death): Buffer {
  const slip = slipOf(bytes);
  return slip ? Buffer.from(JSON.stringify({ ...slip, messageId: messageIdOf(slip.ceId), ...death })) : bytes;
}

/** Characters of a server's words that are kept. */
const DETAIL_MAX = 1_000;
