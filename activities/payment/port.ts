/**
 * What is needed of a payment provider, in bulk. Every call has a key; the same key asked again gives the
 * same answer and one effect, however long ago it was.
 */
export interface PaymentProvider {
  /**
   * Captures amounts. `declined` is final under its key; under a key that was voided the answer is `closed`,
   * and nothing is captured under it ever again.
   * @returns by key; a key that is missing was not answered, and may have been captured.
   * @throws where the provider is away; any of them may have been captured.
   */
  capture(charges: readonly Charge[]): Promise<ReadonlyMap<string, CaptureAnswer>>;

  /**
   * Closes keys for ever and voids what was captured under them, also where nothing was.
   * @returns by key, what was captured under it and is void; null where nothing was. A missing key was not answered.
   * @throws where the provider is away; any of them may be closed.
   */
  void(keys: readonly string[]): Promise<ReadonlyMap<string, { readonly paymentId: string | null }>>;
}

export interface Charge {
  readonly key: string;
  /** Whole cents, 0 or more. */
  readonly amountCents: number;
}

/** `paymentId` is the provider's own name for it. */
export type CaptureAnswer =
  | { readonly outcome: 'captured' | 'declined'; readonly paymentId: string }
  | { readonly outcome: 'closed' };
