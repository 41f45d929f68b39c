import { TestWorkflowEnvironment } from '@temporalio/testing';
import { DefaultLogger, makeTelemetryFilterString, Runtime } from '@temporalio/worker';
import { workflowBundle } from './compiled';
import { timeSkippingServer } from './stack';

const SERVER_START_MS_MAX = 120_000;

/** A server whose clock jumps over waits, and the bundle of today's workflows; a fresh one for each file, as it takes one test at a time. */
export async function openSkippedServer(): Promise<{ environment: TestWorkflowEnvironment; codePath: string }> {
  // The faults of these stories are meant; their log would hide everything else.
  Runtime.install({
    logger: new DefaultLogger('ERROR'),
    telemetryOptions: { logging: { forward: {}, filter: makeTelemetryFilterString({ core: 'ERROR' }) } },
  });
  const codePath = await workflowBundle();
  return { environment: await startServer(await timeSkippingServer()), codePath };
}

/** The SDK gives the server 5 s, fixed, to come up; a machine that is busy needs longer, and it is started anew. */
async function startServer(path: string): Promise<TestWorkflowEnvironment> {
  const deadline = Date.now() + SERVER_START_MS_MAX;
  for (;;) {
    try {
      return await TestWorkflowEnvironment.createTimeSkipping({ server: { executable: { type: 'existing-path', path } } });
    } catch (thrown) {
      if (!/did not start within/.test(String(thrown)) || Date.now() > deadline) throw thrown;
    }
  }
}
