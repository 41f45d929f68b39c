/** Tokens between white space that hold a letter or a digit: what `wc -w` counts, less lone dashes. */
export function wordsOf(text: string): string[] {
  return text.split(/\s+/u).filter((token) => /[\p{L}\p{N}]/u.test(token));
}

/** Words without their punctuation, in lower case, in order; a hyphen or an apostrophe inside stays. */
export function termsOf(text: string): string[] {
  return text.normalize('NFC').toLowerCase().match(/[\p{L}\p{N}\p{M}]+(?:['’-][\p{L}\p{N}\p{M}]+)*/gu) ?? [];
}

/** Non-empty blocks between blank lines. */
export function paragraphsIn(text: string): number {
  return blocksOf(text).length;
}

/**
 * Sentences that hold a letter or a digit. One ends at a full stop, an exclamation or a question mark that
 * no small letter follows, and at a blank line. `Intl.Segmenter` knows more, but its time grows with the
 * square of the text: minutes for one of 1 MiB.
 */
export function sentencesIn(text: string): number {
  let count = 0;
  for (const block of blocksOf(text.replaceAll(/[。！？]/g, '. '))) {
    const tokens = block.trim().split(/\s+/u);
    let begun = false;
    tokens.forEach((token, at) => {
      begun ||= /[\p{L}\p{N}]/u.test(token);
      const ends = /[.!?…]["'”’»)\]]*$/u.test(token) && !/^["'“‘«(]?\p{Ll}/u.test(tokens[at + 1] ?? '');
      if (begun && (ends || at === tokens.length - 1)) {
        count += 1;
        begun = false;
      }
    });
  }
  return count;
}

function blocksOf(text: string): string[] {
  return text.split(/\r?\n[^\S\n]*\n/u).filter((block) => block.trim() !== '');
}

/** Distinct words that mean something by themselves, sorted; articles, pronouns and the like are left out. */
export function keywordsOf(text: string): string[] {
  const distinct = new Set(termsOf(text));
  return [...distinct].filter((term) => [...term].length > 1 && !FUNCTION_WORDS.has(term)).toSorted();
}

/** Words of English, Portuguese and Spanish that say nothing about a text's subject. */
const FUNCTION_WORDS = new Set(
  `a about after again all also am an and any are as at be because been before being but by can could did do does for from
  had has have he her here him his how i if in into is it its just me more most my no nor not now of off on once only or
  other our out over own same she should so some such than that the their them then there these they this those through to
  too under until up very was we were what when where which while who whom why will with would you your
  o os um uma uns umas de do da dos das em no na nos nas por pelo pela para com sem que se e é ou mas como mais muito não
  ao aos à às ele ela eles elas eu tu você nós seu sua seus suas isto isso este esta esse essa foi ser são está
  el la los las un una unos unas del al en y o u pero como más muy no por para con sin que se lo le su sus es son fue
  este esta ese esa esto eso yo tú él ella nosotros ellos ellas`.split(/\s+/),
);

/**
 * How often any of some words or phrases occurs, whole words only, capitals not minded. Each occurrence
 * counts once, also where two of the phrases overlap.
 */
export function occurrencesOf(phrases: readonly string[], text: string): number {
  const patterns = phrases
    .map((phrase) => phrase.normalize('NFC').toLowerCase().trim())
    .filter(Boolean)
    .toSorted((a, b) => b.length - a.length)
    .map((phrase) => phrase.split(/\s+/).map(escaped).join('\\s+'));
  if (patterns.length === 0) return 0;
  const whole = new RegExp(`(?<![\\p{L}\\p{N}_])(?:${patterns.join('|')})(?![\\p{L}\\p{N}_])`, 'gu');
  return text.normalize('NFC').toLowerCase().match(whole)?.length ?? 0;
}

function escaped(literal: string): string {
  return literal.replaceAll(/[\\^$.*+?()[\]{}|/-]/g, '\\$&');
}
