import { z } from 'zod';
import type { HttpResource } from '../kernel/definition';

/** What can be measured on a draft. Units: counts, except `language` (ISO 639-1), `readingEase` (Flesch, 0 to 100) and `promptLeak` (true or false); `keywords` is the list of words found. */
export const MEASURED = [
  'words', 'characters', 'paragraphs', 'sentences', 'language', 'readingEase', 'bannedWords', 'personalData', 'keywords', 'promptLeak',
] as const;

/** The operators of json-rules-engine, which judges the rules. */
const OPERATORS = [
  'equal', 'notEqual', 'in', 'notIn', 'lessThan', 'lessThanInclusive', 'greaterThan', 'greaterThanInclusive', 'contains', 'doesNotContain',
] as const;

const scalar = z.union([z.string().max(1_000), z.number(), z.boolean()]);

export const rule = z
  .object({
    name: z.string().min(1).max(255),
    fact: z.enum(MEASURED),
    operator: z.enum(OPERATORS),
    value: z.union([scalar, z.array(scalar).max(100)]),
  })
  .refine(({ operator, value }) => (operator === 'in' || operator === 'notIn') === Array.isArray(value), {
    path: ['value'], message: 'operators in and notIn take a list, the others a single value',
  })
  .refine(({ operator, value }) => !/Than/.test(operator) || typeof value === 'number', {
    path: ['value'], message: 'this operator compares numbers',
  });
export type Rule = z.infer<typeof rule>;

export const template = z.object({
  name: z.string().min(1).max(255),
  prompt: z.string().min(1).max(32_000),
  rules: z.array(rule).max(50),
});
export type Template = z.infer<typeof template>;

export const templates: HttpResource = {
  path: '/templates',
  summary: 'Prompts with the rules that their drafts must keep',
  table: 'templates',
  body: template,
  row: ({ name, prompt, rules }: Template, freshId) => ({ id: freshId, name, prompt, rules: JSON.stringify(rules) }),
  show: ({ id, name, prompt, rules }) => ({ id, name, prompt, rules }),
  conflict: 'a template with this id exists',
};

/** Ready templates, so that the first command of the README works. Their ids never change. */
export const READY_TEMPLATES: readonly (Template & { id: string })[] = [
  {
    id: '00000000-0000-4000-8000-000000000001',
    name: 'product-description',
    prompt: 'Describe {{product}} for a shop, in plain words, in two paragraphs.',
    rules: [
      { name: 'long enough', fact: 'words', operator: 'greaterThanInclusive', value: 40 },
      { name: 'no banned words', fact: 'bannedWords', operator: 'equal', value: 0 },
      { name: 'no personal data', fact: 'personalData', operator: 'equal', value: 0 },
    ],
  },
  {
    id: '00000000-0000-4000-8000-000000000002',
    name: 'blog-post',
    prompt: 'Write a blog post on {{topic}}, with at least three paragraphs.',
    rules: [
      { name: 'long enough', fact: 'words', operator: 'greaterThanInclusive', value: 120 },
      { name: 'in paragraphs', fact: 'paragraphs', operator: 'greaterThanInclusive', value: 3 },
      { name: 'does not repeat its prompt', fact: 'promptLeak', operator: 'equal', value: false },
    ],
  },
  {
    id: '00000000-0000-4000-8000-000000000003',
    name: 'free-text',
    prompt: '{{prompt}}',
    rules: [],
  },
];
