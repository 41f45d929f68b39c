import { z } from 'zod';
import { localModel } from './local';
import { UNCOUNTED, type Model } from './port';

/**
 * Answers by script, for development and tests: attempt n gets `variables.drafts[n-1]`, the last one
 * repeated. An entry is a text, or `{error, times, draft?}`: it fails `times` times technically (once
 * unless said) and then gives its `draft`, else the next text of the script. A task without drafts gets
 * what the local model writes.
 */
export const scriptedModel: Model = {
  async generate(request) {
    const { attempt, technicalTry, variables } = request;
    const script = scriptOf(variables.drafts);
    if (script.length === 0) return { ...(await localModel.generate(request)), model: 'scripted' };

    const at = Math.min(attempt, script.length) - 1;
    const entry = script[at];
    if (typeof entry === 'object') {
      if (technicalTry <= entry.times) throw new Error(entry.error);
    }
    const text = typeof entry === 'object' ? (entry.draft ?? script.slice(at + 1).find((one) => typeof one === 'string')) : entry;
    if (text === undefined) throw new Error(`the script has no draft after entry ${at + 1}`);
    return { text, model: 'scripted', usage: UNCOUNTED };
  },
};

const failing = z.object({ error: z.string(), times: z.number().int().min(0).default(1), draft: z.string().optional() });
const drafts = z.array(z.union([z.string(), failing]));

/** @throws where the script cannot be followed; the fault names the entry. */
function scriptOf(given: unknown): z.infer<typeof drafts> {
  if (given === undefined || given === null) return [];
  const parsed = drafts.safeParse(typeof given === 'string' ? [given] : given);
  if (parsed.success) return parsed.data;
  const [entry = 0] = parsed.error.issues[0]?.path ?? [];
  throw new Error(`variables.drafts is no list of texts and {error, times, draft?}; see entry ${Number(entry) + 1}`);
}
