import { z } from 'zod';
import type { Domain } from '../../../workflows/kernel/definition';
import { stepsLifecycle, type StepFact, type StepFacts, type StepState } from './lifecycle';

/** As the orders' view has it: what changes with each fact is in no index. */
const TABLE = `
CREATE TABLE IF NOT EXISTS bench_view (
  id TEXT PRIMARY KEY,
  status TEXT NOT NULL,
  updated_at TIMESTAMP NOT NULL,
  version INTEGER NOT NULL,
  phase TEXT NOT NULL,
  steps INTEGER NOT NULL
) WITH (fillfactor = 60);
CREATE INDEX IF NOT EXISTS idx_bench_view_working ON bench_view(id) WHERE phase = 'working';
`;

const jobBegun = z.object({ jobId: z.uuid(), payload: z.string() });

/** A domain of the benchmarks only. As small as one can be, so that what is measured is the machinery. */
export const steps = {
  name: stepsLifecycle.domain,
  workflow: 'stepsWorkflow',
  laneSizeMax: 360,
  lane: 'stepsLane',
  lifecycle: stepsLifecycle,
  topics: { JobBegun: 'bench.begun', StepDone: 'bench.step' },
  contracts: {
    namespace: 'fazenda.bench',
    encoding: 'json',
    facts: { JobBegun: jobBegun, StepDone: z.object({ jobId: z.string(), step: z.int() }) },
    commands: [],
  },
  doors: [
    {
      kind: 'start',
      topic: 'bench.begun',
      group: 'bench-group',
      schema: jobBegun,
      foreignOnly: true,
      first: ({ message, sentAt }: { message: StepFacts['JobBegun']; sentAt: string }) => ({
        id: message.jobId, type: 'JobBegun', at: sentAt, data: message,
      }),
    },
  ],
  view: {
    table: 'bench_view',
    key: 'id',
    row: (id, { status, movedAt, version, steps: done }, phase) => ({ id, status, updated_at: movedAt, version, phase, steps: done }),
  },
  http: { commands: [], resources: [], queries: [], live: { path: '/ws/bench/:id/status', idField: 'jobId' } },
  cli: {
    noun: 'bench',
    submit: { name: 'bench-job', summary: 'A job of the benchmarks', path: '/bench', options: [], body: () => ({}) },
    endings: {},
  },
  settings: z.object({}),
  limits: () => ({}),
  display: { summary: () => 'four steps', memo: () => ({}), searchAttributes: {}, priority: () => 3 },
  tables: [TABLE],
} satisfies Domain<StepState, StepFact>;
