import { execFile } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { compiled } from './setup/compiled';

/** A contract that breaks what was published ends the build and every start, and says which field it is. */

const root = resolve(__dirname, '..');
let checkout: string;
beforeAll(async () => {
  // A checkout of its own, so that its published schemas can be others.
  checkout = mkdtempSync(join(tmpdir(), 'fazenda-checkout-'));
  cpSync(await compiled(), join(checkout, 'dist'), { recursive: true });
  cpSync(join(root, 'docs', 'schemas'), join(checkout, 'docs', 'schemas'), { recursive: true });
  for (const file of ['package.json', 'package-lock.json']) cpSync(join(root, file), join(checkout, file));
  symlinkSync(join(root, 'node_modules'), join(checkout, 'node_modules'));
}, 60_000);
afterAll(() => rmSync(checkout, { recursive: true, force: true }));

function run(...args: string[]): Promise<{ code: number; said: string }> {
  return new Promise((done) => {
    execFile(process.execPath, [join(checkout, 'dist', 'src', 'cli', 'main.js'), ...args], { env: { PATH: process.env.PATH, FAZENDA_HOME: join(checkout, 'home') } },
      (fault, out, err) => done({ code: fault ? Number(fault.code) : 0, said: out + err }));
  });
}

/** What `bin/build.mjs` asks after it compiled. */
const check = () => run('schemas', '--check');

test('as they are published, nothing is said', async () => {
  expect(readFileSync(join(root, 'bin', 'build.mjs'), 'utf8')).toContain("'schemas', '--check'");
  expect(await check()).toEqual({ code: 0, said: '' });
});

test('with a field that was another type once, the check of the build and the start end with its name', async () => {
  const file = join(checkout, 'docs', 'schemas', 'task.assigned-value.v1.avsc');
  const published = readFileSync(file, 'utf8');
  writeFileSync(file, published.replace(/"name": "attempt",\s*"type": "long"/, '"name": "attempt", "type": "string"'));
  for (const ended of [await check(), await run('migrate', '--wait', '30')]) {
    expect(ended.code).toBe(1);
    expect(ended.said).toMatch(/FZ_SCHEMA_BREAKS: .*task\.assigned .*TaskAssigned\.attempt was string and is long/);
  }
  writeFileSync(file, published);
}, 40_000);

test('what is new and breaks nothing is named, and hinders nobody', async () => {
  rmSync(join(checkout, 'docs', 'schemas', 'task.failed-value.v1.avsc'));
  expect(await check()).toEqual({ code: 0, said: expect.stringMatching(/not published yet: task\.failed\. Run npx fazenda schemas --write/) as string });
});
