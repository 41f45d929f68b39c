import type { Config } from '../src/config';
import { FazendaError } from '../src/errors';
import type { Queryable } from '../src/facts/postgres';
import type { Keyed } from '../workflows/kernel/coalesce';
import type { RuleFailure } from '../workflows/content/lifecycle';
import type { Drafts } from './drafts';
import { coded } from './failure';
import { judge } from './measure/judge';
import { asText, fillPrompt } from './model/prompt';
import type { DraftReference } from './storage';
import { tasksOf, type Task } from './tasks';

export interface JudgeRequest extends Keyed {
  readonly templateId: string;
  readonly draft: DraftReference;
}

/** `score`: share of the rules that the draft keeps, 0 to 1; 1 where there are none. */
export type Judgement = Keyed & { readonly failures: readonly RuleFailure[]; readonly score: number };

export interface ValidationActivities {
  /** Local, in bulk; the same draft gets the same judgement. */
  judgeDrafts(requests: readonly JudgeRequest[]): Promise<Judgement[]>;
}

export interface ValidationDeps {
  readonly config: Config;
  readonly db: Queryable;
  readonly drafts: Drafts;
}

export function validationActivities({ config, db, drafts }: ValidationDeps): ValidationActivities {
  return {
    judgeDrafts: (requests) =>
      coded(async () => {
        const tasks = await tasksOf(db, requests);
        return Promise.all(requests.map((request) => judgeOne(request, tasks.get(request.id))));
      }),
  };

  async function judgeOne({ id, version, templateId, draft }: JudgeRequest, task: Task | undefined): Promise<Judgement> {
    // Without its rules a draft would pass unseen; the story waits until they are there again.
    if (!task?.template) throw new FazendaError('FZ_REFERENCE_UNKNOWN', `template ${templateId} is gone`);
    const { template, variables = {} } = task;
    const text = (await drafts.read(draft)).toString('utf8');
    const prompt = fillPrompt(template.prompt, variables);
    const quotable = Object.values(variables).map(asText);
    const verdict = await judge(text, template.rules, { prompt, quotable, bannedWords: config.BANNED_WORDS });
    return { id, version, ...verdict };
  }
}
