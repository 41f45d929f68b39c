import { Context } from '@temporalio/activity';
import { z } from 'zod';
import type { Config } from '../src/config';
import { FazendaError } from '../src/errors';
import type { Queryable } from '../src/facts/postgres';
import { timed } from '../src/outside';
import type { Told } from '../workflows/kernel/recording';
import type { Keyed } from '../workflows/kernel/coalesce';
import { contentLifecycle, type ModelUsage, type RuleFailure } from '../workflows/content/lifecycle';
import { DRAFT_BYTES_MAX, type Drafts } from './drafts';
import { coded } from './failure';
import { openModels } from './model/catalogue';
import { technicalFault } from './model/patience';
import type { Model, ModelAnswer } from './model/port';
import { fillPrompt } from './model/prompt';
import { tasksOf, type Task } from './tasks';
import { toldAlready } from './told';

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
   * @throws ApplicationFailure `FZ_MODEL_FAULT`, tried again; `FZ_MODEL_DEADLINE`, final; `FZ_STORAGE_AWAY`
   * and whatever PostgreSQL throws, tried again without end, because no model is to blame.
   */
  generateDraft(request: GenerateRequest): Promise<Draft | Told>;
}

export interface ModelDeps {
  readonly config: Config;
  readonly db: Queryable;
  readonly drafts: Drafts;
  /** Other than those of the configuration; for tests. */
  readonly models?: ReadonlyMap<string, Model>;
}

/** Well below the heartbeat limit of 10 s that the story sets. */
const HEARTBEAT_EVERY_MS = 2_000;

/** An answer up to this size stays in the heartbeat, so that a store that is away costs no second call. */
const DRAFT_KEPT_BYTES_MAX = 64 * 1024;

const tokens = z.number().nullable();
const kept = z.object({ text: z.string(), model: z.string(), usage: z.object({ inputTokens: tokens, outputTokens: tokens }) });

export function modelActivities({ config, db, drafts, models = openModels(config) }: ModelDeps): ModelActivities {
  return {
    generateDraft: (request) =>
      coded(async () => {
        const told = await toldAlready(db, contentLifecycle.domain, request);
        if (told) return told;

        const heart = beat();
        try {
          const answer = heart.kept ?? (await ask(request));
          heart.keep(answer);
          const { uri, sha256 } = await drafts.put(answer.text);
          return { contentUri: uri, sha256, model: answer.model, usage: answer.usage };
        } finally {
          heart.stop();
        }
      }),
  };

  async function ask(request: GenerateRequest): Promise<ModelAnswer> {
    const { info, cancellationSignal } = Context.current();
    const began = performance.now();
    const task = (await tasksOf(db, [request])).get(request.id);
    try {
      return await within(request.callTimeoutMs, cancellationSignal, (signal) => call(request, task, signal));
    } catch (thrown) {
      // Cancelled or shutting down: that is no fault of the model, and Temporal knows what to do about it.
      cancellationSignal.throwIfAborted();
      if (thrown instanceof FazendaError && thrown.code !== 'FZ_MODEL_FAULT') throw thrown;
      throw technicalFault(thrown, { info, elapsedMs: performance.now() - began, deadlineAt: request.deadlineAt });
    }
  }

  async function call(request: GenerateRequest, task: Task | undefined, signal: AbortSignal): Promise<ModelAnswer> {
    const { id, modelType, attempt, failures } = request;
    if (!task?.variables) throw new FazendaError('FZ_FACT_GAP', `fact 1 of ${id} is not there`);
    // The story began with a template and a model that exist; now one is gone, here, perhaps for a while.
    if (!task.template) throw new FazendaError('FZ_MODEL_FAULT', `template ${request.templateId} is gone`);
    const model = models.get(modelType);
    if (!model) throw new FazendaError('FZ_MODEL_FAULT', `this agent cannot call ${modelType}`);

    const { variables, template } = task;
    const technicalTry = Context.current().info.attempt;
    const prompt = fillPrompt(template.prompt, variables);
    const answer = await timed('model', modelType, () => model.generate({ taskId: id, attempt, technicalTry, prompt, failures, variables, signal }));
    const bytes = Buffer.byteLength(answer.text);
    if (bytes > DRAFT_BYTES_MAX) throw new FazendaError('FZ_MODEL_FAULT', `the draft has ${bytes} bytes, at most ${DRAFT_BYTES_MAX} are taken`);
    return answer;
  }
}

/** Tells Temporal every 2 s that the work goes on, with the answer once there is one. */
function beat() {
  const context = Context.current();
  const before = kept.safeParse(context.info.heartbeatDetails);
  let holding: ModelAnswer | undefined = before.success ? before.data : undefined;
  const send = () => context.heartbeat(holding);
  const timer = setInterval(send, HEARTBEAT_EVERY_MS);
  return {
    /** What an earlier try was given, before it failed to put it away. */
    kept: holding,
    keep(answer: ModelAnswer) {
      if (Buffer.byteLength(answer.text) > DRAFT_KEPT_BYTES_MAX) return;
      holding = answer;
      send();
    },
    stop: () => clearInterval(timer),
  };
}

/**
 * Gives the work a signal that aborts when the time is up or somebody else's signal does. Work that does
 * not listen is left behind. A timer of its own, because a garbage-collected `AbortSignal.timeout` inside
 * `AbortSignal.any` has been seen not to fire: https://github.com/nodejs/node/issues/57736
 */
async function within<Answer>(limitMs: number, outer: AbortSignal, work: (signal: AbortSignal) => Promise<Answer>): Promise<Answer> {
  outer.throwIfAborted();
  const inner = new AbortController();
  const stop = () => inner.abort(outer.reason);
  const timer = setTimeout(() => inner.abort(new Error(`no answer within ${limitMs} ms`)), limitMs);
  outer.addEventListener('abort', stop);
  try {
    const givenUp = new Promise<never>((_, reject) => {
      inner.signal.addEventListener('abort', () => reject(inner.signal.reason), { once: true });
    });
    return await Promise.race([work(inner.signal), givenUp]);
  } finally {
    clearTimeout(timer);
    outer.removeEventListener('abort', stop);
  }
}
