import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';

const made: string[] = [];

/** A home of a test's own, open to all as PostgreSQL may have to reach its data in it without rights. */
export function tempHome(): string {
  const folder = mkdtempSync(join(tmpdir(), 'fazenda-home-'));
  chmodSync(folder, 0o755);
  made.push(folder);
  return folder;
}

/** Removes all homes made so far, and what they keep elsewhere. */
export function removeTempHomes(): void {
  for (const folder of made.splice(0)) {
    for (const name of readdirSync(folder, { recursive: true, encoding: 'utf8' })) {
      if (basename(name) !== 'data-id') continue;
      rmSync(join('/var/lib/fazenda', readFileSync(join(folder, name), 'utf8').trim()), { recursive: true, force: true });
    }
    rmSync(folder, { recursive: true, force: true });
  }
}
