import type { Told } from '../workflows/kernel/recording';
import type { Keyed } from '../workflows/kernel/coalesce';
import type { ModelUsage, RuleFailure } from '../workflows/content/lifecycle';

export interface GenerateRequest extends Keyed {
  readonly templateId: string;
  readonly modelType: string;
  /** Attempts at generating, counted from 1; told what the last one failed on. */
  readonly attempt: number;
  readonly failures: readonly RuleFailure[];
  /** Technical faults after this instant (ms since 1970, the server's clock) end the attempt. */
  readonly deadlineAt: number;
  /** One call, ms. */
  readonly callTimeoutMs: number;
}

export interface Draft {
  readonly contentUri: string;
  readonly sha256: string;
  readonly model: string;
  readonly usage: ModelUsage;
}

export interface ModelActivities {
  /**
   * Regular, with heartbeats, on the agents' queue. Calls the model and puts the draft away by reference.
   * @throws ApplicationFailure `FZ_MODEL_FAULT`, tried again; `FZ_MODEL_DEADLINE`, final.
   */
  generateDraft(request: GenerateRequest): Promise<Draft | Told>;
}
