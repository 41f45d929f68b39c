import { chmodSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { textOf } from '../../src/errors';
import { installParts } from '../../src/runtime/parts';
import { haveRabbitmq } from './rabbitmq';
import { timeSkippingServer } from './stack';

const LINE_EVERY_MS = 10_000;

/**
 * Once before all files: a folder for this run, and the parts installed where they are not yet, as no test
 * has the minutes that a build takes. They are started only when a test first asks for them.
 */
export default async function begin(): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'fazenda-test-'));
  chmodSync(folder, 0o755); // PostgreSQL reaches its data here as a user without rights.
  process.env.FAZENDA_TEST_RUN = folder;
  process.env.FAZENDA_TEST_OWNER = String(process.pid);

  let saidAt = 0;
  const say = (text: string): void => {
    if (Date.now() - saidAt < LINE_EVERY_MS) return;
    saidAt = Date.now();
    console.log(`preparing the parts … ${text}`);
  };
  const installs = [installParts(['temporal', 'kafka', 'postgres', 's3', 'redis', 'registry'], process.env, say), installParts(['clickhouse'], process.env, say), timeSkippingServer(say)];
  for (const result of await Promise.allSettled(installs)) {
    // The tests that need it will fail with the same words; those that need nothing can still be run.
    if (result.status === 'rejected') console.error(textOf(result.reason));
  }
  const lacking = await haveRabbitmq(say);
  if (lacking !== undefined) console.error(lacking);
}
