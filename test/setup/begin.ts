import { chmodSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A folder for this run of the tests; the parts are started in it only when a test first asks for them. */
export default function begin(): void {
  const folder = mkdtempSync(join(tmpdir(), 'fazenda-test-'));
  chmodSync(folder, 0o755); // PostgreSQL reaches its data here as a user without rights.
  process.env.FAZENDA_TEST_RUN = folder;
  process.env.FAZENDA_TEST_OWNER = String(process.pid);
}
