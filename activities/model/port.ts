import type { ModelUsage, RuleFailure } from '../../workflows/content/lifecycle';

/** Values for a template's prompt, as the task's maker gave them. */
export type Variables = Readonly<Record<string, unknown>>;

export interface ModelRequest {
  readonly taskId: string;
  /** Attempts at generating, counted from 1; every technical try of an attempt carries the same number. */
  readonly attempt: number;
  /** Technical tries of this attempt, counted from 1 by Temporal, so that no crash makes it forget. */
  readonly technicalTry: number;
  /** The template's prompt, its variables filled in. */
  readonly prompt: string;
  /** What the attempt before this one failed on; empty at first. */
  readonly failures: readonly RuleFailure[];
  readonly variables: Variables;
  /** Aborts at the time limit of the call, and where the task is cancelled. */
  readonly signal: AbortSignal;
}

export interface ModelAnswer {
  readonly text: string;
  /** Which model answered, 1 to 255 characters. */
  readonly model: string;
  readonly usage: ModelUsage;
}

/** Something that writes drafts. */
export interface Model {
  /** @throws whatever kept it from answering; all of it is a technical fault and never uses up an attempt. */
  generate(request: ModelRequest): Promise<ModelAnswer>;
}

/** A technical fault that says when to come back. */
export class ModelBusy extends Error {
  override readonly name = 'ModelBusy';

  constructor(message: string, readonly retryAfterMs: number) {
    super(message);
  }
}

/** Where nobody counted. */
export const UNCOUNTED: ModelUsage = { inputTokens: null, outputTokens: null };
