import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { isRunning, parseIdentity, type ProcessIdentity } from '../src/runtime/identity';
import { startParts } from '../src/runtime/parts';
import { compiled } from './setup/compiled';
import { PARTS_TIMEOUT_MS } from './setup/stack';
import { removeTempHomes, tempHome } from './setup/temp-home';

afterAll(removeTempHomes);

/** A supervisor in a process of its own, so that it can be killed as a whole. */
async function supervisor(home: string): Promise<ChildProcess> {
  const script = join(home, 'supervisor.cjs');
  const runtime = join(await compiled(), 'src', 'runtime', 'parts', 'index.js');
  writeFileSync(script, `require(${JSON.stringify(runtime)}).startParts({home: process.argv[2], parts: ['postgres', 's3'], env: process.env}).then(() => process.send('up'));`);
  const child = fork(script, [home], { stdio: 'ignore' });
  await once(child, 'message');
  return child;
}

function recorded(home: string, part: string): ProcessIdentity {
  const who = parseIdentity(readFileSync(join(home, 'run', `${part}.json`), 'utf8'));
  if (who === undefined) throw new Error(`${part} is not recorded`);
  return who;
}

test('what a killed supervisor left running is ended by the next start, which then works', async () => {
  const home = tempHome();
  const first = await supervisor(home);
  const left = ['postgres', 's3'].map((part) => recorded(home, part));
  writeFileSync(join(home, 'endpoints.json'), '{}');
  first.kill('SIGKILL');
  await once(first, 'exit');
  expect(left.filter(isRunning)).toHaveLength(2);

  const next = await startParts({ home, parts: ['postgres', 's3'], env: process.env });
  try {
    expect(left.filter(isRunning)).toEqual([]);
    // It said that all was well, and has no right to any more.
    expect(() => readFileSync(join(home, 'endpoints.json'))).toThrow(/ENOENT/);
  } finally {
    await next.stop();
  }
}, PARTS_TIMEOUT_MS);

test('a stranger that has got the pid of a leftover is left alone', async () => {
  const home = tempHome();
  await (await startParts({ home, parts: [], env: {} })).stop();
  const stranger = fork(join(__dirname, 'setup', 'idle.cjs'));
  const answer = (): Promise<unknown> => {
    stranger.send('are you there?');
    return Promise.race([once(stranger, 'message').then(() => 'yes'), once(stranger, 'exit').then(() => 'it was ended')]);
  };
  try {
    expect(await answer()).toBe('yes');
    writeFileSync(join(home, 'run', 'postgres.json'), JSON.stringify({ pid: stranger.pid, startedAt: 'long ago', stopSignal: 'SIGINT' }));
    await (await startParts({ home, parts: [], env: {} })).stop();
    expect(await answer()).toBe('yes');
  } finally {
    if (stranger.kill('SIGKILL')) await once(stranger, 'exit');
  }
});
