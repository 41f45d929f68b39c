import type { Keyed } from '../workflows/kernel/coalesce';
import type { Told } from '../workflows/kernel/recording';
import { orderLifecycle, paymentKey } from '../workflows/order/lifecycle';
import { FazendaError, textOf } from '../src/errors';
import type { Queryable } from '../src/facts/postgres';
import { factsOfMany } from '../src/facts/read';
import { timed } from '../src/outside';
import { coded } from './failure';
import type { CaptureAnswer, Charge, PaymentProvider } from './payment/port';
import { groupById } from './stored';
import { toldAlready } from './told';

export interface CaptureRequest extends Keyed {
  readonly amountCents: number;
}

/**
 * `declined` is final under its key; `closed`: somebody voided the key, and nothing will ever be captured under it.
 * `paymentId` is the provider's name for it; under a closed key the key itself.
 */
export interface Captured {
  readonly outcome: 'captured' | 'declined' | 'closed';
  readonly paymentId: string;
}

export interface PaymentActivities {
  /** Local, in bulk, in a hurry. `away`: the provider did not answer for this one; it may have captured. */
  capturePayments(requests: readonly CaptureRequest[]): Promise<(Keyed & (Captured | { readonly outcome: 'away' } | Told))[]>;
  /** Regular. @throws while the provider is away, and is tried again without end. */
  capturePayment(request: CaptureRequest): Promise<Captured | Told>;
  /** Regular. Closes the key for ever; `paymentId` is what was captured under it and is void now, null where nothing was. */
  voidPayment(request: Keyed): Promise<{ readonly paymentId: string | null } | Told>;
}

export function paymentActivities({ db, payments }: { readonly db: Queryable; readonly payments: PaymentProvider }): PaymentActivities {
  return {
    async capturePayments(requests) {
      const told = groupById(await factsOfMany(db, orderLifecycle.domain, requests));
      const charges = requests.filter(({ id }) => !told.has(id)).map(chargeOf);
      // Whether the provider is away for one or for all, each story is told so and asks again by itself.
      const answers = charges.length > 0 ? await timed('payment', 'capture', () => payments.capture(charges)).catch((): ReadonlyMap<string, CaptureAnswer> => new Map()) : new Map<string, CaptureAnswer>();
      return requests.map(({ id, version }) => {
        const facts = told.get(id);
        if (facts) return { id, version, told: facts };
        const answer = answers.get(paymentKey(id));
        return { id, version, ...(answer ? capturedOf(id, answer) : { outcome: 'away' as const }) };
      });
    },

    capturePayment: (request) =>
      coded(async () => {
        const told = await toldAlready(db, orderLifecycle.domain, request);
        if (told) return told;
        const charge = chargeOf(request);
        const answer = await answered(charge.key, () => timed('payment', 'capture', () => payments.capture([charge])));
        return capturedOf(request.id, answer);
      }),

    voidPayment: (request) =>
      coded(async () => {
        const told = await toldAlready(db, orderLifecycle.domain, request);
        if (told) return told;
        const key = paymentKey(request.id);
        return answered(key, () => timed('payment', 'void', () => payments.void([key])));
      }),
  };
}

function chargeOf({ id, amountCents }: CaptureRequest): Charge {
  return { key: paymentKey(id), amountCents };
}

function capturedOf(id: string, answer: CaptureAnswer): Captured {
  return answer.outcome === 'closed' ? { outcome: 'closed', paymentId: paymentKey(id) } : answer;
}

/** @throws FazendaError FZ_PAYMENTS_AWAY where the provider fails, or says nothing of the key. */
async function answered<Answer>(key: string, call: () => Promise<ReadonlyMap<string, Answer>>): Promise<Answer> {
  let answer: Answer | undefined;
  try {
    answer = (await call()).get(key);
  } catch (cause) {
    throw new FazendaError('FZ_PAYMENTS_AWAY', `the payment provider failed: ${textOf(cause)}`, {}, cause);
  }
  if (answer === undefined) throw new FazendaError('FZ_PAYMENTS_AWAY', `the payment provider did not answer for ${key}`);
  return answer;
}
