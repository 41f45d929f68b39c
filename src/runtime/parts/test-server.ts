import { renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { FazendaError } from '../../errors';
import { cacheFolder, fromCache } from './cache';
import type { InstallContext } from './part';
import { mavenCopy } from './registries';
import { findJava } from './tools';

const VERSION = '1.38.0';
const JAVA_MIN = 11;
const DIGEST = 'bb7a46081eddc18177c24a06edde11c2776fe6707fb31f5a76f6f927a78ee9ec';

/**
 * Installs Temporal's time-skipping test server and gives the path of a script that runs it, for
 * `TestWorkflowEnvironment.createTimeSkipping({server: {executable: {type: 'existing-path', path}}})`.
 * Errors: FZ_PART_UNAVAILABLE without Java 11 or Maven.
 */
export async function installTestServer(context: InstallContext): Promise<string> {
  const java = await findJava(JAVA_MIN, context.env);
  if (java === undefined) throw new FazendaError('FZ_PART_UNAVAILABLE', `the test server needs Java ${JAVA_MIN} or later, and there is none here`);
  const artifact = { group: 'io.temporal', name: 'temporal-test-server', version: VERSION };
  const jars = await fromCache({ name: 'temporal-test-server', version: VERSION, digest: DIGEST, build: (folder) => mavenCopy([artifact], folder, context) }, context);
  const script = join(cacheFolder(context.env), 'temporal-test-server', `run-${VERSION}.sh`);
  // Moved into place whole, as another start may be about to run it.
  const fresh = `${script}.${process.pid}`;
  writeFileSync(fresh, `#!/bin/sh\nexec '${java}' -cp '${jars}/*' io.temporal.testserver.TestServer "$@"\n`, { mode: 0o755 });
  renameSync(fresh, script);
  return script;
}
