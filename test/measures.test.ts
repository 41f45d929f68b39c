import { measure } from '../activities/measure/draft';
import { judge } from '../activities/measure/judge';
import { syllablesIn } from '../activities/measure/reading-ease';
import type { Rule } from '../workflows/content/templates';

/** A draft is measured the same by everyone, and every rule that it breaks is told with its measure. */

const nothing = { prompt: '', quotable: [], bannedWords: [] };
const of = (text: string, context: Partial<Parameters<typeof measure>[1]> = {}) => measure(text, { ...nothing, ...context });

test('words, characters, paragraphs and sentences are counts', () => {
  const text = 'One well-known word — and “two”.\n\nIs 3.14 a number? Yes, e.g. here! 🙂\n \n\n';
  expect(of(text)).toMatchObject({ words: 12, paragraphs: 2, sentences: 3, characters: [...text].length });
  expect(of('')).toMatchObject({ words: 0, paragraphs: 0, sentences: 0, characters: 0, readingEase: 0, keywords: [] });
  expect(of('wrapped\nat a line, no end')).toMatchObject({ sentences: 1, paragraphs: 1 });
  expect(of('一。二！三')).toMatchObject({ sentences: 3 });
  expect(of('a\r\n\r\nb')).toMatchObject({ paragraphs: 2 });
});

test.each([
  ['en', 'There is a simple reason why people come back to the old house again and again.'],
  ['pt', 'Há uma razão simples para que as pessoas voltem sempre à casa antiga.'],
  ['und', '12345 67890'],
])('language is told by its ISO 639-1 code: %s', (language, text) => {
  expect(of(text).language).toBe(language);
});

test('readingEase is Flesch’s, within 0 and 100', () => {
  // 6 words, 1 sentence, 6 syllables: 206.835 − 6.09 − 84.6 = 116.1, kept at 100.
  expect(of('The cat sat on the mat.').readingEase).toBe(100);
  // 7 words, 1 sentence, 13 syllables: 206.835 − 7.105 − 157.114 = 42.6.
  expect(of('The workers went over several options today.').readingEase).toBe(42.6);
  expect(of('Internationalization notwithstanding.').readingEase).toBe(0);
  expect(['make', 'table', 'people', 'rhythm', 'idea'].map(syllablesIn)).toEqual([1, 2, 2, 1, 2]);
});

test('banned words are whole words and phrases, capitals not minded', () => {
  const bannedWords = ['lorem', 'as soon as possible', 'C++', 'ação'];
  expect(of('Lorem, LOREM! loremly. As soon  as\npossible. AÇÃO C++', { bannedWords }).bannedWords).toBe(5);
});

test.each([
  ['an e-mail address', 'write to ana.silva+news@mail.example.com.br now', 1],
  ['an e-mail address beyond ASCII', 'josé@exemplo.com', 1],
  ['an at sign that is no address', 'meet @ noon, a@b', 0],
  ['a CPF with its punctuation', 'CPF 529.982.247-25', 1],
  ['a CPF without', '52998224725', 1],
  ['a CPF with a wrong check digit', '529.982.247-24', 0],
  ['eleven equal digits', '111.111.111-11', 0],
  ['a card', '4111 1111 1111 1111', 1],
  ['a card that fails Luhn', '4111 1111 1111 1112', 0],
  ['an international phone', 'call +55 (11) 91234-5678', 1],
  ['a phone with its area', '(11) 3123-4567 or 555-123-4567', 2],
  ['a mobile phone', '91234-5678', 1],
  ['years, prices and dates', '2024-2025, 1.299,00, 12-31-2024, 2024-12-31, 1,000,000, 10.000.000', 0],
  ['a UUID', '00000000-0000-4000-8000-000000000001', 0],
  ['four of a kind each', 'a@b.com 529.982.247-25 5555555555554444 +351 912 345 678', 4],
])('personalData: %s', (_, text, found) => {
  expect(of(text).personalData).toBe(found);
});

test('keywords are the distinct significant words, in lower case', () => {
  expect(of("The Hose, the HOSE and a café: don't panic about AI").keywords).toEqual(['ai', 'café', "don't", 'hose', 'panic']);
});

test('promptLeak is eight words in a row of the prompt, unless the task’s maker gave them', () => {
  const name = 'The Extra Large Deluxe Garden Hose With Brass Ends';
  const prompt = `Describe ${name} for a shop, in plain words, and never mention any price.`;
  const leak = (draft: string) => of(draft, { prompt, quotable: [name] }).promptLeak;
  expect(leak('It says: IN PLAIN WORDS and never mention any price')).toBe(true);
  expect(leak('It says: in plain words and never mention prices')).toBe(false);
  expect(leak(`${name}: the one to have.`)).toBe(false);
  expect(leak(`describe ${name}`)).toBe(true);
});

test('every broken rule is told, with what was expected and measured', async () => {
  const rules: Rule[] = [
    { name: 'long', fact: 'words', operator: 'greaterThanInclusive', value: 100 },
    { name: 'kept', fact: 'words', operator: 'lessThan', value: 100 },
    { name: 'long', fact: 'words', operator: 'greaterThan', value: 50 },
    { name: 'tongue', fact: 'language', operator: 'in', value: ['pt', 'es'] },
    { name: 'about it', fact: 'keywords', operator: 'contains', value: 'Hose' },
    { name: 'not about it', fact: 'keywords', operator: 'doesNotContain', value: 'hose' },
  ];
  const verdict = await judge('There is a simple reason why people come back to the garden hose.', rules, nothing);
  expect(verdict.failures).toEqual([
    { rule: 'long', fact: 'words', operator: 'greaterThanInclusive', expected: 100, measured: 13 },
    { rule: 'long', fact: 'words', operator: 'greaterThan', expected: 50, measured: 13 },
    { rule: 'tongue', fact: 'language', operator: 'in', expected: ['pt', 'es'], measured: 'en' },
    { rule: 'not about it', fact: 'keywords', operator: 'doesNotContain', expected: 'hose', measured: expect.arrayContaining(['hose']) },
  ]);
  expect(verdict.score).toBeCloseTo(2 / 6);
  expect(await judge('anything', [], nothing)).toEqual({ failures: [], score: 1 });
});

test('a failure that measured a long list tells a short one', async () => {
  const text = Array.from({ length: 5_000 }, (_, at) => `word${'o'.repeat(at % 200)}${at}`).join(' ');
  const rules: Rule[] = [{ name: 'missing', fact: 'keywords', operator: 'contains', value: 'absent' }];
  const { failures } = await judge(text, rules, nothing);
  expect(JSON.stringify(failures).length).toBeLessThan(5_000);
});

// Drafts may be hostile: each of these is cheap in linear time and takes minutes in quadratic time.
test.each(['a', '1', 'a.', '@', 'a@', '(1', '+1 ', '\n \n', '\r', ' ', "a'", '.', 'Mr. ', '-', '1-'])('a megabyte of %j is measured', (piece) => {
  of(piece.repeat(1024 * 1024 / piece.length), { prompt: piece.repeat(1_000), bannedWords: ['lorem', 'a b'] });
});
