import { createHash } from 'node:crypto';
import { DEFAULT_PHRASEBOOK, PHRASEBOOKS, type Phrasebook } from './phrases';
import { UNCOUNTED, type Model, type ModelRequest, type Variables } from './port';
import { wishesOf, type Bounds, type Wishes } from './wishes';

/** Enough for the ready templates, of which a blog post asks for most. */
const WORDS = 150;
const PARAGRAPHS = 3;
/** Whatever is asked for, a draft stays below the size that is taken. */
const WORDS_MAX = 100_000;
const SUBJECT_CHARACTERS_MAX = 80;

/**
 * Writes offline, the same for the same task and attempt, and tries to mend what the last draft failed
 * on. It makes no claim to be AI: it is there so that everything else can run without a network.
 */
export const localModel: Model = {
  async generate(request) {
    return { text: write(request), model: 'local', usage: UNCOUNTED };
  },
};

function write({ taskId, attempt, failures, variables }: ModelRequest): string {
  const wishes = wishesOf(failures);
  const book = PHRASEBOOKS[wishes.language ?? ''] ?? DEFAULT_PHRASEBOOK;
  const subject = (!wishes.withoutSubject && subjectOf(variables)) || book.something;
  const usable = shuffled(book.sentences, `${taskId}/${attempt}`)
    .map((sentence) => sentence.replaceAll('«»', subject))
    .filter((sentence) => !wishes.unwanted.some((word) => sentence.toLowerCase().includes(word.toLowerCase())));
  const chosen = choose(usable, book, wishes);
  return inParagraphs(chosen, clamp(PARAGRAPHS, wishes.bounds('paragraphs')));
}

/** As many sentences as the bounds allow, those that must be there first; the last one may be cut short. */
function choose(usable: readonly string[], book: Phrasebook, wishes: Wishes): string[] {
  const words = wishes.bounds('words');
  const characters = wishes.bounds('characters');
  const sentences = wishes.bounds('sentences');
  // Between four and seven characters a word, its space included: a long word more does no harm then.
  const ceiling = Math.min(WORDS_MAX, words.max, Math.floor(characters.max / 7));
  const target = Math.min(ceiling, Math.ceil(Math.max(WORDS, words.min, characters.min / 4)));

  const chosen = wishes.wanted.map((word) => book.about(word));
  let count = wordsIn(chosen);
  for (let at = 0; chosen.length < sentences.max && (count < target || chosen.length < sentences.min); at += 1) {
    const next = usable[at % usable.length];
    const room = ceiling - count;
    if (next === undefined || room <= 0) break;
    chosen.push(cut(next, room));
    count += wordsIn([next]);
  }
  return chosen;
}

function cut(sentence: string, wordsMax: number): string {
  const words = sentence.split(' ');
  return words.length <= wordsMax ? sentence : words.slice(0, wordsMax).join(' ').replace(/[,.]?$/, '.');
}

function inParagraphs(sentences: readonly string[], paragraphs: number): string {
  const count = Math.max(1, Math.min(paragraphs, sentences.length));
  const each = Array.from({ length: count }, (_, at) =>
    sentences.slice(Math.floor((at * sentences.length) / count), Math.floor(((at + 1) * sentences.length) / count)).join(' '),
  );
  return `${each.join('\n\n')}\n`;
}

/** The first short text among the variables, in the order in which they were given. */
function subjectOf(variables: Variables): string | undefined {
  return Object.values(variables).find(
    (value): value is string => typeof value === 'string' && value.length <= SUBJECT_CHARACTERS_MAX && /^[^\r\n]*\S[^\r\n]*$/.test(value),
  );
}

/** The same order for the same seed; each sentence is placed by a hash of its own. */
function shuffled(sentences: readonly string[], seed: string): string[] {
  const place = (sentence: string) => createHash('sha256').update(`${seed}\n${sentence}`).digest('hex');
  return sentences.map((sentence) => ({ sentence, at: place(sentence) })).toSorted((a, b) => (a.at < b.at ? -1 : 1)).map(({ sentence }) => sentence);
}

function wordsIn(sentences: readonly string[]): number {
  return sentences.reduce((sum, sentence) => sum + sentence.split(/\s+/).filter(Boolean).length, 0);
}

function clamp(value: number, { min, max }: Bounds): number {
  return Math.max(min, Math.min(value, max));
}
