/**
 * Money is whole cents inside. A JSON number of an edge is read by its decimal digits, never by arithmetic on
 * it: 0.1 + 0.2 is nobody's price.
 */

/** Largest amount taken in, in units; its cents are far below 2^53. */
export const AMOUNT_MAX = 10_000_000_000;

/** The cents of an amount in units; undefined where it is negative, too large or has more than two decimals. */
export function centsOf(units: number): number | undefined {
  if (units > AMOUNT_MAX) return undefined;
  const digits = /^(\d+)(?:\.(\d{1,2}))?$/.exec(String(units));
  return digits ? Number(digits[1]) * 100 + Number((digits[2] ?? '').padEnd(2, '0')) : undefined;
}

/** An amount in units, as the edges write it: the JSON number with these two decimals. */
export function unitsOf(cents: number): number {
  return cents / 100;
}

/** An amount as a decimal string, `150.10`. */
export function decimalOf(cents: number): string {
  const text = String(cents).padStart(3, '0');
  return `${text.slice(0, -2)}.${text.slice(-2)}`;
}

/** The cents of a decimal string that we wrote. */
export function centsOfDecimal(decimal: string): number {
  return Number(decimal.replace('.', ''));
}
