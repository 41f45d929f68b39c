import { detect } from 'tinyld';
import { MEASURED } from '../../workflows/content/templates';
import { personalDataIn } from './personal-data';
import { leaksPrompt } from './prompt-leak';
import { readingEaseOf } from './reading-ease';
import { keywordsOf, occurrencesOf, paragraphsIn, sentencesIn, wordsOf } from './words';

export type Measured = (typeof MEASURED)[number];
export type Measure = number | string | boolean | readonly string[];

/** What a draft is measured against, beside itself. */
export interface MeasuringContext {
  /** The prompt as the model got it. */
  readonly prompt: string;
  /** Parts of the prompt that a draft may repeat: the variables' values. */
  readonly quotable: readonly string[];
  readonly bannedWords: readonly string[];
}

/** A language shows in its first pages; measuring more of a long draft would only cost time. */
const LANGUAGE_SAMPLE_CHARACTERS = 20_000;
const LANGUAGE_UNKNOWN = 'und';

/** Every fact of a draft and how it is measured. Pure: the same draft measures the same, everywhere. */
export const MEASURES: Readonly<Record<Measured, (text: string, context: MeasuringContext) => Measure>> = {
  /** Words, a count. */
  words: (text) => wordsOf(text).length,
  /** Unicode characters (code points), white space included; a count. */
  characters: (text) => [...text].length,
  /** Blocks between blank lines, a count. */
  paragraphs: paragraphsIn,
  /** Sentences, a count. */
  sentences: sentencesIn,
  /** ISO 639-1; `und` where the text is too short or too mixed to tell. */
  language: (text) => detect(text.slice(0, LANGUAGE_SAMPLE_CHARACTERS)) || LANGUAGE_UNKNOWN,
  /** Flesch, 0 to 100. */
  readingEase: readingEaseOf,
  /** Occurrences of banned words, a count. */
  bannedWords: (text, { bannedWords }) => occurrencesOf(bannedWords, text),
  /** E-mail addresses, phone numbers, CPFs and payment cards, a count. */
  personalData: personalDataIn,
  /** Distinct significant words, lower case, sorted. */
  keywords: keywordsOf,
  /** True or false. */
  promptLeak: (text, { prompt, quotable }) => leaksPrompt(text, prompt, quotable),
};

/** All facts of a draft at once. */
export function measure(text: string, context: MeasuringContext): Record<Measured, Measure> {
  const entries = MEASURED.map((fact) => [fact, MEASURES[fact](text, context)] as const);
  return Object.fromEntries(entries) as Record<Measured, Measure>;
}
