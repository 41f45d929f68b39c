import type { CaptureAnswer, PaymentProvider } from '../../activities/payment/port';

/** Called around each call of a provider; it may wait, or throw what a provider that is away would. */
export interface Gate {
  readonly before?: (call: 'capture' | 'void', keys: readonly string[]) => Promise<void>;
  readonly after?: (call: 'capture' | 'void', keys: readonly string[]) => Promise<void>;
}

/** The same provider, each of its calls behind a gate that is asked for anew each time. */
export function gated(provider: PaymentProvider, gate: () => Gate): PaymentProvider {
  async function pass<Answer>(call: 'capture' | 'void', keys: readonly string[], run: () => Promise<Answer>): Promise<Answer> {
    await gate().before?.(call, keys);
    const answer = await run();
    await gate().after?.(call, keys);
    return answer;
  }
  return {
    capture: (charges) => pass('capture', charges.map(({ key }) => key), () => provider.capture(charges)),
    void: (keys) => pass('void', keys, () => provider.void(keys)),
  };
}

/** A FAKE provider that keeps the port's promises in a Map: a key is captured or declined once, and void for ever. */
export class MemoryProvider implements PaymentProvider {
  readonly books = new Map<string, { state: 'captured' | 'declined' | 'voided'; captured: boolean }>();

  readonly capture: PaymentProvider['capture'] = async (charges) =>
    new Map(charges.map(({ key, amountCents }): [string, CaptureAnswer] => {
      const state = amountCents % 100 === 13 ? 'declined' : 'captured';
      const entry = this.books.get(key) ?? { state, captured: state === 'captured' };
      this.books.set(key, entry);
      return [key, entry.state === 'voided' ? { outcome: 'closed' } : { outcome: entry.state, paymentId: `memory/${key}` }];
    }));

  readonly void: PaymentProvider['void'] = async (keys) =>
    new Map(keys.map((key) => {
      const captured = this.books.get(key)?.captured ?? false;
      this.books.set(key, { state: 'voided', captured });
      return [key, { paymentId: captured ? `memory/${key}` : null }];
    }));
}
