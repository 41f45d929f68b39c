import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { JOBS } from './bench/jobs';
import { countSeen } from './bench/judge';
import type { Round } from './bench/report';
import type { Seen } from './setup/judge';
import { PARTS_TIMEOUT_MS, realParts } from './setup/stack';

/**
 * A benchmark's speed is worth what its count is worth. The judge is given stories that are wrong in each way;
 * and a small dose of the whole program runs on the shared parts: `npm run bench` is the full one.
 */

const job = JOBS.steps;

/** The records of one piece of work that went well: asked for at 0 ms, a fact each ms. */
function well(id: string): Seen[] {
  return job.facts.map((topic, index) => ({ topic, id, version: index + 1, ceId: `${id}-${index + 1}`, type: '', value: `${index + 1}`, ours: index > 0, appendedAt: index }));
}

describe('the judge', () => {
  test('counts what was told once, in order, as exact', () => {
    expect(countSeen([...well('a'), ...well('b')], job, ['a', 'b'])).toEqual({ exact: 2, missing: 0, double: 0, unordered: 0, repeated: 0, latenciesMs: [4, 4], spanMs: 4 });
  });

  test('counts the same bytes again as repeated, and still exact', () => {
    expect(countSeen([...well('a'), well('a')[2]!], job, ['a'])).toMatchObject({ exact: 1, repeated: 1 });
  });

  test.each([
    ['a fact is not there', 'missing', well('a').filter(({ version }) => version !== 3)],
    ['its last fact is not there', 'missing', well('a').slice(0, -1)],
    ['nothing is there at all', 'missing', []],
    ['a fact lies on another topic', 'missing', well('a').map((one) => (one.version === 3 ? { ...one, topic: 'bench.begun' } : one))],
    ['a version has other bytes the second time', 'double', [...well('a'), { ...well('a')[2]!, value: 'other' }]],
    ['a version has another id the second time', 'double', [...well('a'), { ...well('a')[2]!, ceId: 'other' }]],
    ['there is a fact too many', 'double', [...well('a'), { ...well('a')[4]!, version: 6 }]],
    ['two facts changed places within a ms', 'unordered', [0, 1, 3, 2, 4].map((index) => ({ ...well('a')[index]!, appendedAt: 0 }))],
    ['a fact was on Kafka before the one it follows', 'unordered', well('a').map((one) => (one.version === 1 ? { ...one, appendedAt: 9 } : one))],
  ] as const)('where %s: %s', (_, fault, seen) => {
    const counted = countSeen([...seen, ...well('b')], job, ['a', 'b']);
    expect(counted).toMatchObject({ exact: 1, missing: 0, double: 0, unordered: 0, [fault]: 1 });
  });
});

test.each([
  ['steps', 'lanes,alone,bare'],
  ['order', 'lanes,naive'],
])('a small dose of %s, by %s, ends exact, and lanes are shared', async (name, entrants) => {
  const folder = mkdtempSync(join(tmpdir(), 'fazenda-bench-'));
  const json = join(folder, 'rounds.json');
  const dose = ['--jobs', name, '--entrants', entrants, '--rounds', '1', '--burst', '60', '--rates', '', '--warm-up', '2', '--json', json];
  const { code, said } = await bench(dose, await realParts());
  expect({ code, said }).toMatchObject({ code: 0 });
  const rounds = JSON.parse(readFileSync(json, 'utf8')) as Round[];
  expect(rounds.map(({ case: { entrant }, result: { exact, of } }) => [entrant, exact, of])).toEqual(entrants.split(',').map((entrant) => [entrant, 60, 60]));
  const [shared, alone] = rounds.map(({ result: { workflows } }) => workflows);
  expect(shared).toBeLessThan(30);
  expect(alone).toBe(60);
  rmSync(folder, { recursive: true });
}, PARTS_TIMEOUT_MS);

async function bench(args: readonly string[], env: Readonly<Record<string, string>>): Promise<{ code: number | null; said: string }> {
  const root = resolve(__dirname, '..');
  const child = spawn(process.execPath, ['bin/fazenda.mjs', 'bench', ...args], { cwd: root, env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] });
  let said = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (said += chunk.toString()));
  const code = await new Promise<number | null>((resolveCode) => child.once('close', resolveCode));
  return { code, said };
}
