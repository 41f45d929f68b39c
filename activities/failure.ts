import { ApplicationFailure } from '@temporalio/common';
import { FazendaError } from '../src/errors';

/**
 * Runs an effect so that the Web UI shows a failure by its code. Every such failure is systemic and is
 * tried again for as long as it lasts; what an effect decides about its own task, it answers or throws itself.
 */
export async function coded<Answer>(effect: () => Promise<Answer>): Promise<Answer> {
  try {
    return await effect();
  } catch (thrown) {
    if (!(thrown instanceof FazendaError)) throw thrown;
    throw ApplicationFailure.create({ type: thrown.code, message: thrown.line, cause: thrown });
  }
}
