import { bundleWorkflowCode } from '@temporalio/worker';
import { renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/**
 * Bundles the compiled workflows once, so that no worker spends its first seconds on it. Gives the file's
 * path, for WORKFLOW_BUNDLE. Errors: the bundler's own, for a workflow that imports what it may not.
 * @param dist the folder that was compiled into
 */
export async function bundleWorkflows(dist: string): Promise<string> {
  const quiet = (): void => undefined;
  const { code } = await bundleWorkflowCode({
    workflowsPath: join(dist, 'workflows', 'index.js'),
    preloadModules: [join(dist, 'workflows', 'kernel', 'untraced.js')],
    logger: { log: quiet, trace: quiet, debug: quiet, info: quiet, warn: console.warn, error: console.error },
  });
  const path = join(dist, 'workflow-bundle.js');
  // Moved into place whole: a worker that is restarting may be reading it.
  const fresh = `${path}.${process.pid}`;
  writeFileSync(fresh, code);
  renameSync(fresh, path);
  return path;
}

if (require.main === module) {
  const dist = process.argv[2];
  if (dist === undefined) throw new TypeError('usage: bundle <dist folder>');
  void bundleWorkflows(dist);
}
