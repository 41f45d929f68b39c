/**
 * Counts what identifies a person: e-mail addresses, CPFs (both check digits), payment cards (Luhn) and
 * phone numbers. Whatever was found once is taken out, so that a card is not counted as a phone too.
 * Every pattern is bounded, so that no text takes more than one pass.
 */
export function personalDataIn(text: string): number {
  let rest = text;
  let found = 0;
  for (const { pattern, holds } of KINDS) {
    rest = rest.replaceAll(pattern, (match) => {
      if (!holds(match.replaceAll(/\D/g, ''))) return match;
      found += 1;
      return ' # ';
    });
  }
  return found;
}

interface Kind {
  readonly pattern: RegExp;
  /** Looks at the digits alone. */
  holds(digits: string): boolean;
}

const always = () => true;

/** In this order: what can be proved by its digits comes before what is a phone number by its looks. */
const KINDS: readonly Kind[] = [
  { pattern: /(?<![\p{L}\p{N}.%+-])[\p{L}\p{N}_.%+-]{1,64}@(?:[\p{L}\p{N}-]{1,63}\.){1,8}\p{L}{2,63}/gu, holds: always },
  { pattern: /(?<!\d)\d{3}\.?\d{3}\.?\d{3}[-.]?\d{2}(?!\d)/g, holds: isCpf },
  { pattern: /(?<!\d|\d[ -])\d(?:[ -]?\d){12,18}(?![ -]?\d)/g, holds: isCard },
  // International: + and 8 to 15 digits (ITU-T E.164).
  { pattern: /\+\d(?:[ .()-]{0,2}\d){7,14}(?!\d)/g, holds: always },
  // With an area code in brackets, or in three groups of which the last two are joined by a dash or a dot.
  { pattern: /\(\d{2,4}\) ?\d{3,5}[ .-]?\d{4}(?!\d)/g, holds: always },
  { pattern: /(?<![\d.-])\d{2,3}[ .-]\d{3,5}[.-]\d{4}(?![\d-])/g, holds: always },
  // Brazilian mobile phones: nine digits that begin with 9, with or without area code.
  { pattern: /(?<![\d.-])9\d{4}-\d{4}(?![\d-])/g, holds: always },
  { pattern: /(?<![\d.-])[1-9]{2}9\d{8}(?![\d-])/g, holds: always },
];

/** 13 to 19 digits that a card scheme begins with, and Luhn's check digit (ISO/IEC 7812-1). */
function isCard(digits: string): boolean {
  if (!/^[2-6]/.test(digits)) return false;
  const sum = [...digits].toReversed().reduce((total, digit, at) => {
    const value = Number(digit) * (at % 2 === 0 ? 1 : 2);
    return total + (value > 9 ? value - 9 : value);
  }, 0);
  return sum % 10 === 0;
}

/** Eleven digits, not all equal, the last two of them check digits (Receita Federal, modulo 11). */
function isCpf(digits: string): boolean {
  if (/^(\d)\1{10}$/.test(digits)) return false;
  return [9, 10].every((length) => {
    const sum = [...digits.slice(0, length)].reduce((total, digit, at) => total + Number(digit) * (length + 1 - at), 0);
    return ((sum * 10) % 11) % 10 === Number(digits[length]);
  });
}
