import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fromCache, type Recipe } from '../src/runtime/parts/cache';

let cache: string;
let built: number;
let said: string[];

beforeEach(() => {
  cache = mkdtempSync(join(tmpdir(), 'fazenda-cache-'));
  built = 0;
  said = [];
});
afterEach(() => rmSync(cache, { recursive: true, force: true }));

const recipe = (digest?: string): Recipe => ({
  name: 'thing',
  version: '1.0.0',
  ...(digest === undefined ? {} : { digest }),
  build: async (folder) => {
    built += 1;
    await sleep(20); // Long enough for another that wrongly builds beside it to be seen.
    writeFileSync(join(folder, 'program'), 'as it was built');
  },
});
const get = (digest?: string): Promise<string> =>
  fromCache(recipe(digest), { env: { FAZENDA_CACHE: cache }, signal: new AbortController().signal, say: (text) => said.push(text) });

describe('what is built is kept, and nothing else is run', () => {
  test('a second start builds nothing', async () => {
    expect(await get()).toBe(await get());
    expect(built).toBe(1);
  });

  test('two starts at once build it once', async () => {
    await Promise.all([get(), get(), get()]);
    expect(built).toBe(1);
  });

  test.each([
    ['changed', (folder: string) => writeFileSync(join(folder, 'program'), 'as somebody else likes it')],
    ['removed', (folder: string) => rmSync(join(folder, 'program'))],
    ['added', (folder: string) => writeFileSync(join(folder, 'another'), 'not ours')],
  ])('a file that was %s is noticed, said, and built again', async (_how, spoil) => {
    const folder = await get();
    spoil(folder);
    await get();
    expect(built).toBe(2);
    expect(said.join()).toMatch(/is damaged/);
    expect(readdirSync(folder)).toEqual(['program']);
  });

  test('what a registry gave must be what this version is known to be', async () => {
    await expect(get('0'.repeat(64))).rejects.toMatchObject({ code: 'FZ_CACHE_CORRUPT' });
    await expect(get('0'.repeat(64))).rejects.toThrow(/instead of 000/);
  });

  test('a build that was cut short is not taken for one', async () => {
    const cut = { ...recipe(), build: () => Promise.reject(new Error('cut')) };
    const context = { env: { FAZENDA_CACHE: cache }, signal: new AbortController().signal, say: () => undefined };
    await expect(fromCache(cut, context)).rejects.toThrow('cut');
    await get();
    expect(built).toBe(1);
  });
});
