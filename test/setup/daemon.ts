import { existsSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { textOf } from '../../src/errors';
import { identityOf, isRunning, ownIdentity } from '../../src/runtime/identity';
import { startParts, type PartName } from '../../src/runtime/parts';
import { searchAttributes } from '../../src/temporal/attributes';

const OWNER_POLL_MS = 500;
const PARTS: readonly PartName[] = ['temporal', 'kafka', 'postgres', 's3', 'clickhouse'];

/**
 * Runs the shared parts for one run of the tests, outside jest: a test file's end, or jest's crash, takes
 * nothing along. Ends when told to, or as soon as jest is gone.
 */
async function main(run: string, owner: number): Promise<void> {
  const jest = identityOf(owner);
  writeFileSync(join(run, 'daemon.json'), JSON.stringify(ownIdentity()));
  const answer = (body: object): void => {
    writeFileSync(join(run, 'parts.json.new'), JSON.stringify(body), { mode: 0o600 });
    renameSync(join(run, 'parts.json.new'), join(run, 'parts.json'));
  };
  const over = new AbortController();
  process.on('SIGTERM', () => over.abort());
  const watch = setInterval(() => {
    if (jest === undefined || !isRunning(jest)) over.abort();
  }, OWNER_POLL_MS);
  const home = join(run, 'home');
  const keywords = searchAttributes();
  try {
    const parts = await startParts({ home, parts: PARTS, optional: ['clickhouse'], env: process.env, searchAttributes: keywords, signal: over.signal });
    answer({ env: parts.env });
    await new Promise<void>((resolve) => (over.signal.aborted ? resolve() : over.signal.addEventListener('abort', () => resolve())));
    await parts.stop();
  } catch (thrown) {
    answer({ error: textOf(thrown) });
  }
  clearInterval(watch);
  // Root's PostgreSQL may have had to keep its data outside of the run's folder.
  const id = join(home, 'data-id');
  if (existsSync(id)) rmSync(join('/var/lib/fazenda', readFileSync(id, 'utf8').trim()), { recursive: true, force: true });
  if (over.signal.aborted && (jest === undefined || !isRunning(jest))) rmSync(run, { recursive: true, force: true });
}

const [run, owner] = process.argv.slice(2);
if (run === undefined || owner === undefined) throw new TypeError('usage: daemon <run folder> <owner pid>');
void main(run, Number(owner));
