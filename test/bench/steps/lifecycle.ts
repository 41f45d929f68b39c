import type { FactOf } from '../../../workflows/kernel/fact';
import type { Lifecycle, Phase } from '../../../workflows/kernel/lifecycle';

/** The four-step job of the benchmarks: one record comes in, four facts go out, each durable before the next. */
export const STEPS = 4;

export interface StepFacts {
  JobBegun: { jobId: string; payload: string };
  StepDone: { jobId: string; step: number };
}
export type StepFact = FactOf<StepFacts>;

export interface StepState {
  readonly status: 'unknown' | 'working' | 'done';
  readonly steps: number;
}

const initial: StepState = { status: 'unknown', steps: 0 };

function evolve(state: StepState, fact: StepFact): StepState {
  switch (fact.type) {
    case 'JobBegun':
      return { status: 'working', steps: 0 };
    case 'StepDone':
      return { status: fact.data.step === STEPS ? 'done' : 'working', steps: fact.data.step };
  }
}

const phase = ({ status }: StepState): Phase => (status === 'done' ? 'done' : 'working');

export const stepsLifecycle: Lifecycle<StepState, StepFact> = { domain: 'bench', initial, evolve, phase };
