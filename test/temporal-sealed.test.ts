import { randomBytes } from 'node:crypto';
import { temporal } from '@temporalio/proto';
import { readConfig } from '../src/config';
import { connectTemporal } from '../src/temporal/connect';
import { openActivityWorker, openWorkflowWorker } from '../src/temporal/worker';
import { GENERATOR_QUEUE } from '../workflows/content/queue';
import type { Around } from './setup/around';
import { openBench, type Bench } from './setup/bench';
import { workflowBundle } from './setup/compiled';
import { PARTS_TIMEOUT_MS } from './setup/stack';
import { until } from './setup/until';

/** What nobody is to find in Temporal: in what was asked, what failed, what was mailed, and who asked. */
const CANARIES = { asked: 'canary-variable', failed: 'canary-failure', mailed: 'canary-reason', memo: 'tester' };
const key = (id: string) => `${id}:${randomBytes(32).toString('base64')}`;

/** An activity that says too much when it fails. */
const careless: Around = async (name, _args, run) => {
  if (name === 'generateDraft') throw new Error(CANARIES.failed);
  return run();
};

/** A task that never gets its draft, and is cancelled; and all that Temporal ever knew of it. */
async function story(bench: Bench, workersOf: () => Promise<{ stop(): Promise<void> }> = () => bench.startWorkers(careless)): Promise<{ id: string; bytes: Buffer }> {
  const workers = await bench.startWorkers(careless);
  const id = await bench.begin({ drafts: ['word '.repeat(60)], about: CANARIES.asked });
  await until(async () => (await bytesOf(bench, id)).includes(Buffer.from('generateDraft')) && (await failuresOf(bench, id)) > 0, 'its draft has failed');
  const failing = await bytesOf(bench, id);
  await workers.stop();
  const others = await workersOf();
  await bench.cancel(id, CANARIES.mailed);
  await bench.ended(id);
  await until(async () => (await bench.client.workflow.getHandle(`content/${id}`).describe()).status.name === 'COMPLETED', 'it is over');
  await others.stop();
  return { id, bytes: Buffer.concat([failing, await bytesOf(bench, id)]) };
}

async function failuresOf({ client }: Bench, id: string): Promise<number> {
  const { raw } = await client.workflow.getHandle(`content/${id}`).describe();
  return raw.pendingActivities?.filter(({ lastFailure }) => lastFailure).length ?? 0;
}

/** All that Temporal knows of a workflow, as it lies there. */
async function bytesOf({ connection, config }: Bench, id: string): Promise<Buffer> {
  const { workflowService } = connection;
  const execution = { workflowId: `content/${id}` };
  const namespace = config.TEMPORAL_NAMESPACE;
  const described = await workflowService.describeWorkflowExecution({ namespace, execution });
  const { history } = await workflowService.getWorkflowExecutionHistory({ namespace, execution });
  return Buffer.concat([
    temporal.api.workflowservice.v1.DescribeWorkflowExecutionResponse.encode(described).finish(),
    temporal.api.history.v1.History.encode(history ?? {}).finish(),
  ]);
}

const found = (bytes: Buffer) => Object.values(CANARIES).filter((word) => bytes.includes(word));

describe('what Temporal keeps of a story', () => {
  let bench: Bench;
  afterEach(() => bench.close());

  test('is plain without keys: the canaries of this test are found', async () => {
    bench = await openBench();
    expect(found((await story(bench)).bytes)).toEqual(Object.values(CANARIES));
  }, PARTS_TIMEOUT_MS);

  test('holds no plain text with keys, and the story is the same', async () => {
    // The bundle is the one of `npm start`, which is made before anybody knows of keys.
    bench = await openBench({ TEMPORAL_PAYLOAD_KEYS: key('k1'), WORKFLOW_BUNDLE: await workflowBundle() });
    const { id, bytes } = await story(bench);
    expect(found(bytes)).toEqual([]);
    expect(bytes.includes('binary/encrypted')).toBe(true);
    expect((await bench.facts(id)).map(({ type }) => type)).toEqual(['TaskCreated', 'TaskAssigned', 'TaskCancelled']);
    // Whoever has the key reads it as before.
    const { memo } = await bench.client.workflow.getHandle(`content/${id}`).describe();
    expect(memo).toMatchObject({ userId: CANARIES.memo });
  }, PARTS_TIMEOUT_MS);

  test('goes on with a new key, which seals what is new, while the old one opens what is old', async () => {
    const [old, fresh] = [key('old-key'), key('new-key')];
    bench = await openBench({ TEMPORAL_PAYLOAD_KEYS: old });
    const config = readConfig({ ...bench.env, TEMPORAL_PAYLOAD_KEYS: `${fresh},${old}` });
    const { connection } = await connectTemporal(config);
    const { bytes } = await story(bench, async () => {
      const workers = await Promise.all([
        openWorkflowWorker(config, connection, bench.activities),
        openActivityWorker(config, connection, { generateDraft: () => Promise.reject(new Error(CANARIES.failed)) }, { name: GENERATOR_QUEUE, capacity: 1, perSecondMax: 10 }),
      ]);
      const running = workers.map((worker) => worker.run());
      return { stop: async () => { workers.forEach((worker) => worker.shutdown()); await Promise.all(running); } };
    });
    expect([bytes.includes('old-key'), bytes.includes('new-key'), found(bytes)]).toEqual([true, true, []]);
    await connection.close();
  }, PARTS_TIMEOUT_MS);
});
