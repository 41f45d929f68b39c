import { carryMany, carryOne, type Ending } from '../../../workflows/kernel/carry';
import type { Journey } from '../../../workflows/kernel/journey';
import type { Begun } from '../../../workflows/kernel/recording';
import { stepsLifecycle, type StepFact, type StepState } from './lifecycle';

export async function stepsWorkflow(jobId: string, begun?: Begun): Promise<Ending> {
  return carryOne(stepsLifecycle, stepsStory, jobId, begun);
}

export async function stepsLane(jobIds: string[], begun?: Begun): Promise<{ finished: number; left: number }> {
  return carryMany(stepsLifecycle, stepsStory, jobIds, begun);
}

async function stepsStory(journey: Journey<StepState, StepFact>): Promise<void> {
  while (!journey.done) await journey.record('StepDone', { jobId: journey.id, step: journey.state.steps + 1 });
}
