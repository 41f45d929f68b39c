import type { Keyed } from '../workflows/kernel/coalesce';
import type { RuleFailure } from '../workflows/content/lifecycle';
import type { DraftReference } from './storage';

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
