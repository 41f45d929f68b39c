import { sentencesIn, termsOf } from './words';

/**
 * Flesch reading ease, kept within 0 (hard) and 100 (easy), to one decimal; 0 for a text without words.
 * The weights are those for English, whatever the language, so that one rule compares like with like.
 * Source: R. Flesch, "A new readability yardstick", Journal of Applied Psychology 32 (1948).
 */
export function readingEaseOf(text: string): number {
  const terms = termsOf(text);
  const sentences = sentencesIn(text);
  if (terms.length === 0 || sentences === 0) return 0;
  const syllables = terms.reduce((sum, term) => sum + syllablesIn(term), 0);
  const ease = 206.835 - 1.015 * (terms.length / sentences) - 84.6 * (syllables / terms.length);
  return Math.round(Math.max(0, Math.min(100, ease)) * 10) / 10;
}

/** Groups of vowels, less a silent e at the end; at least one. An estimate, as in every tool of the kind. */
export function syllablesIn(word: string): number {
  const plain = word.normalize('NFD').replaceAll(/\p{M}/gu, '');
  const sounded = /[^aeiouyl]e$/.test(plain) ? plain.slice(0, -1) : plain;
  return Math.max(1, sounded.match(/[aeiouy]+/g)?.length ?? 0);
}
