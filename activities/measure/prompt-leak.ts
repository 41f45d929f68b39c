import { termsOf } from './words';

/** This many words of a prompt in a row are no coincidence. */
const RUN_WORDS = 8;

/**
 * True where a draft repeats at least eight words in a row of its prompt, capitals and punctuation not
 * minded. What the task's maker gave (the variables' values) may be quoted: the instructions may not.
 */
export function leaksPrompt(draft: string, prompt: string, quotable: readonly string[]): boolean {
  const runs = new Set(runsOf(prompt));
  for (const text of quotable) for (const run of runsOf(text)) runs.delete(run);
  if (runs.size === 0) return false;
  for (const run of runsOf(draft)) if (runs.has(run)) return true;
  return false;
}

function* runsOf(text: string): Generator<string> {
  const terms = termsOf(text);
  for (let from = 0; from + RUN_WORDS <= terms.length; from += 1) yield terms.slice(from, from + RUN_WORDS).join(' ');
}
