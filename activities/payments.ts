import type { Keyed } from '../workflows/kernel/coalesce';
import type { Told } from '../workflows/kernel/recording';

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

/** The idempotency key of an order's one payment. */
export function paymentKey(orderId: string): string {
  return `order/${orderId}/payment`;
}

export function paymentActivities(_deps: object): PaymentActivities {
  const missing = () => Promise.reject(new Error('not there yet'));
  return { capturePayments: missing, capturePayment: missing, voidPayment: missing };
}
