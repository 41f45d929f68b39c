/** The bundle's entry of the benchmarks: what production runs, and the job that only they know. */
export * from '../../../workflows';
export { stepsLane, stepsWorkflow } from './workflow';
