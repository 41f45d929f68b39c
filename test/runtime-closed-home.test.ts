import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Client } from 'pg';
import { startParts } from '../src/runtime/parts';
import { PARTS_TIMEOUT_MS } from './setup/stack';
import { removeTempHomes, tempHome } from './setup/temp-home';

let home: string;

beforeAll(() => {
  const closed = join(tempHome(), 'closed');
  home = join(closed, 'home');
  mkdirSync(closed, { mode: 0o700 });
  mkdirSync(home);
});
afterAll(() => {
  removeTempHomes();
});

async function withDatabase(query: string): Promise<unknown[]> {
  const parts = await startParts({ home, parts: ['postgres'], env: process.env });
  const client = new Client({ connectionString: parts.env.DATABASE_URL });
  try {
    await client.connect();
    return (await client.query(query)).rows;
  } finally {
    await client.end();
    await parts.stop();
  }
}

test('a home below a folder that is closed to others still has its database, and finds it again', async () => {
  await withDatabase('CREATE TABLE kept AS SELECT 1 AS one');
  expect(await withDatabase('SELECT one FROM kept')).toEqual([{ one: 1 }]);

  // Only root needs another user for PostgreSQL, and so another place.
  if (process.getuid?.() !== 0) return;
  const id = readFileSync(join(home, 'data-id'), 'utf8').trim();
  expect(existsSync(join('/var/lib/fazenda', id, 'postgres', 'data', 'PG_VERSION'))).toBe(true);
}, PARTS_TIMEOUT_MS);
