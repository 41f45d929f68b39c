import type { Domain } from '../../workflows/kernel/definition';
import type { Fact } from '../../workflows/kernel/fact';

/** What is counted of one event, in the columns of `event_log`. */
export interface Measures {
  /** How its story ended by it: `good` or `bad`; empty where it goes on. */
  readonly outcome: string;
  readonly attempt: number;
  readonly reasons: readonly string[];
  readonly revenue: string | null;
  readonly stock: readonly object[];
}

/** What is counted of an event that no domain tells the meaning of: that it was. */
export const NO_MEASURES: Measures = { outcome: '', attempt: 0, reasons: [], revenue: null, stock: [] };

/** The largest count that a column holds. */
const ATTEMPT_MAX = 4_294_967_295;

/**
 * What a fact means, as its domain's definition says. Its data was never held against its contract: somebody who names
 * himself like us may have written anything. What has not the shape of its type, or fits no column, is not counted,
 * so that no record can stop its partition; the event itself is kept as it is.
 */
export function measuresOf({ analytics = {}, cli }: Pick<Domain, 'analytics' | 'cli'>, fact: Fact): Measures {
  const endsWell = cli.endings[fact.type];
  const outcome = endsWell === undefined ? '' : endsWell ? 'good' : 'bad';
  const attempt = counted(() => analytics.attempt?.(fact)) ?? 0;
  const reasons: readonly unknown[] = counted(() => analytics.reasons?.(fact)) ?? [];
  const revenue = counted(() => analytics.revenue?.(fact)) ?? null;
  const stock = counted(() => analytics.stock?.(fact)) ?? [];
  return {
    outcome,
    attempt: Number.isInteger(attempt) && attempt > 0 && attempt <= ATTEMPT_MAX ? attempt : 0,
    reasons: reasons.filter((reason) => typeof reason === 'string'),
    revenue: revenue !== null && /^-?\d{1,30}\.\d{2}$/.test(revenue) ? revenue : null,
    stock: stock.filter(({ product, reserved, released }) => typeof product === 'string' && Number.isSafeInteger(reserved) && Number.isSafeInteger(released)),
  };
}

function counted<Result>(measure: () => Result): Result | undefined {
  try {
    return measure();
  } catch (thrown) {
    // Pure functions of data: they throw where it has not the shape that its type promises, and for nothing else.
    if (thrown instanceof TypeError) return undefined;
    throw thrown;
  }
}
