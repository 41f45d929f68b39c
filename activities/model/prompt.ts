import { FazendaError } from '../../src/errors';
import type { RuleFailure } from '../../workflows/content/lifecycle';
import type { Variables } from './port';

/** A variable may stand in a prompt many times; together they stay below this, in characters. */
const PROMPT_CHARACTERS_MAX = 1024 * 1024;

/**
 * Puts variables in the place of `{{name}}`: text as it is, anything else as JSON. A name that nobody
 * gave stays as it was written, so that whoever reads the draft sees what was missing.
 * @throws FazendaError FZ_MODEL_FAULT where the prompt grows beyond 1 Mi characters.
 */
export function fillPrompt(prompt: string, variables: Variables): string {
  let grown = prompt.length;
  return prompt.replaceAll(/\{\{\s*([^{}\s](?:[^{}]{0,253}[^{}\s])?)\s*\}\}/g, (placeholder, name: string) => {
    if (!Object.hasOwn(variables, name)) return placeholder;
    const text = asText(variables[name]);
    grown += text.length;
    if (grown > PROMPT_CHARACTERS_MAX) throw new FazendaError('FZ_MODEL_FAULT', 'the prompt with its variables is longer than 1 Mi characters');
    return text;
  });
}

/** A value as a reader would write it. */
export function asText(value: unknown): string {
  return typeof value === 'string' ? value : (JSON.stringify(value) ?? '');
}

/** What the last attempt failed on, in words that a model can follow. */
export function complaint(failures: readonly RuleFailure[]): string {
  const broken = failures.map(({ rule, fact, operator, expected, measured }) =>
    `- ${rule}: ${fact} must be ${operator} ${JSON.stringify(expected)}, but was ${JSON.stringify(measured)}`,
  );
  return `Your last draft was turned down. Write a new one that keeps every rule:\n${broken.join('\n')}`;
}
