import { ApplicationFailure } from '@temporalio/common';
import type { Info } from '@temporalio/activity';
import { FazendaError, textOf, type ErrorCode } from '../../src/errors';
import { ModelBusy } from './port';

const FIRST_DELAY_MS = 1_000;
const DELAY_MAX_MS = 30_000;

/**
 * What becomes of a technical fault of a model. Before the deadline it is tried again, after 1 s, 2 s, 4 s
 * and so on to 30 s, or after what the model asked for; the last wait ends at the deadline itself, so
 * that one try falls there. A fault from then on is final.
 *
 * Time is the server's: when it scheduled this try, plus what passed here since. That is never ahead of
 * the server's clock, so that the last try cannot come a moment too early and be tried once more.
 */
export function technicalFault(
  thrown: unknown,
  { info, elapsedMs, deadlineAt }: { info: Pick<Info, 'attempt' | 'currentAttemptScheduledTimestampMs'>; elapsedMs: number; deadlineAt: number },
): ApplicationFailure {
  const leftMs = deadlineAt - (info.currentAttemptScheduledTimestampMs + elapsedMs);
  if (leftMs <= 0) return failure('FZ_MODEL_DEADLINE', thrown, { nonRetryable: true });

  const backOffMs = Math.min(FIRST_DELAY_MS * 2 ** (info.attempt - 1), DELAY_MAX_MS);
  const askedMs = thrown instanceof ModelBusy ? thrown.retryAfterMs : 0;
  // Whole milliseconds, rounded up: a last try just before the deadline would be followed by another.
  return failure('FZ_MODEL_FAULT', thrown, { nextRetryDelay: Math.ceil(Math.min(Math.max(backOffMs, askedMs), leftMs)) });
}

function failure(code: ErrorCode, thrown: unknown, how: { nonRetryable: true } | { nextRetryDelay: number }): ApplicationFailure {
  const message = thrown instanceof FazendaError ? thrown.message : textOf(thrown);
  return ApplicationFailure.create({ type: code, message: `${code}: ${message}`, ...how, ...(thrown instanceof Error && { cause: thrown }) });
}
