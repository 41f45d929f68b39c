import { execFileSync } from 'node:child_process';
import { appendFileSync, closeSync, mkdtempSync, openSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pino from 'pino';
import { boundedFile, shortenLog } from '../src/logging/file';
import { OfStory } from '../src/logging/of-story';
import { LogReader, logNames, type LogLine } from '../src/logging/read';
import { warnSparingly } from '../src/logging/sparing';
import { aboutRecord, storyIds } from '../src/logging/story';
import { compiled } from './setup/compiled';

/** A log that cannot fill a disk, that trouble cannot drown, and that can be read back, line by line. */

const folder = mkdtempSync(join(tmpdir(), 'fazenda-logs-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const at = (name: string) => join(folder, name);

describe('a file', () => {
  test('keeps to twice its bound, whatever is written, and every line in it is whole', async () => {
    const log = pino({ base: null }, boundedFile(at('bounded.log'), 10_000));
    for (let line = 0; line < 2_000; line += 1) {
      log.info({ line }, 'x'.repeat(100));
      if (line % 50 === 0) await new Promise(setImmediate);
    }
    const kept = ['bounded.log.1', 'bounded.log'].flatMap((name) => {
      expect(statSync(at(name)).size).toBeLessThanOrEqual(10_200);
      return readFileSync(at(name), 'utf8').trim().split('\n').map((text) => JSON.parse(text) as { line: number });
    });
    // The latest are there, in order and without a gap.
    const first = kept[0]?.line ?? 0;
    expect(kept.map(({ line }) => line)).toEqual(Array.from({ length: kept.length }, (_, more) => first + more));
    expect(kept.at(-1)?.line).toBe(1_999);
  });

  test('that somebody else holds open is put aside while he goes on writing', () => {
    const held = openSync(at('held.log'), 'a');
    writeSync(held, 'a'.repeat(1_000));
    shortenLog(at('held.log'), 2_000);
    expect(statSync(at('held.log')).size).toBe(1_000);
    writeSync(held, 'b'.repeat(1_500));
    shortenLog(at('held.log'), 2_000);
    writeSync(held, 'c');
    closeSync(held);
    expect([readFileSync(at('held.log'), 'utf8'), statSync(at('held.log.1')).size]).toEqual(['c', 2_500]);
  });
});

test('a trouble that comes a thousand times is said once, then how often it came', () => {
  const said: Record<string, unknown>[] = [];
  const log = pino({ base: null }, { write: (text: string) => void said.push(JSON.parse(text) as Record<string, unknown>) });
  const now = jest.spyOn(Date, 'now').mockReturnValue(1_000_000);
  const warn = (key: string) => warnSparingly(log, key, { key }, 'away');
  for (let time = 0; time < 1_000; time += 1) warn('kafka');
  warn('s3');
  expect(said.map(({ key, unsaid }) => [key, unsaid])).toEqual([['kafka', undefined], ['s3', undefined]]);
  now.mockReturnValue(1_010_001);
  warn('kafka');
  expect(said.at(-1)).toMatchObject({ key: 'kafka', unsaid: 999 });
  now.mockRestore();
});

describe('a line', () => {
  const speak = async (format: string, script: string) => {
    const dist = await compiled();
    const opened = `const { openLog } = require('./src/log.js'); const { takeStrayLines } = require('./src/logging/stray.js'); const log = openLog({ LOG_LEVEL: 'info', LOG_FORMAT: '${format}' }, 'api'); takeStrayLines(log);`;
    return execFileSync(process.execPath, ['-e', `${opened} ${script}`], { cwd: dist, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] }).trim().split('\n');
  };

  test('that a library prints, or Node itself, is one of ours', async () => {
    const said = (await speak('json', "console.warn('old %d', 1); console.log({ a: 1 }); process.emitWarning('new'); setImmediate(() => log.info('last'))")).map((text) => JSON.parse(text) as object);
    expect(said).toMatchObject([
      { level: 'warn', process: 'api', msg: 'old 1', stray: true }, { level: 'info', msg: '{ a: 1 }' }, { level: 'warn', msg: 'new', err: { message: 'new' } }, { level: 'info', msg: 'last' },
    ]);
  });

  test('for people is printed whole, the last one before the end too', async () => {
    const said = await speak('pretty', "log.info({ status: 202 }, 'request'); log.error('the end'); process.exit(3)").catch((thrown: { status: number; stdout: string }) => [String(thrown.status), ...thrown.stdout.trim().split('\n')]);
    expect(said).toEqual(['3', expect.stringMatching(/^\[\d{4}-\d\d-\d\dT.*Z\] INFO: api: request \{"status":202\}$/), expect.stringMatching(/ERROR: api: the end$/)]);
  });

  test('names the request and the trace where they are known, and nothing where they are not', () => {
    const traceparent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';
    expect(storyIds({ correlationId: 'c', traceparent })).toEqual({ correlation_id: 'c', trace_id: '4bf92f3577b34da6a3ce929d0e0e4736' });
    expect(storyIds({ correlationId: null, traceparent: 'nonsense' })).toEqual({});
    const record = { topic: 't', partition: 3, offset: '7', headers: { 'x-correlation-id': 'x', traceparent } };
    expect(aboutRecord(record)).toEqual({ topic: 't', partition: 3, offset: '7', correlation_id: 'x', trace_id: '4bf92f3577b34da6a3ce929d0e0e4736' });
  });
});

describe('reading', () => {
  const line = (time: string, fields: object = {}) => `${JSON.stringify({ level: 'info', time, process: 'api', msg: 'm', ...fields })}\n`;

  test('gives what is there, what is added, and what comes after the file was put aside; never half a line', () => {
    const path = at('api.log');
    writeFileSync(`${path}.1`, line('2026-01-01T00:00:00.000Z', { n: 0 }));
    writeFileSync(path, `${line('2026-01-01T00:00:01.000Z', { n: 1 })}no line of ours\n`);
    const reader = new LogReader(folder, 'api');
    const shown = (lines: readonly LogLine[]) => lines.map(({ fields, text, time }) => [fields?.n ?? text, time.slice(17, 19)]);
    // What has no time of its own stands behind the line before it.
    expect(shown(reader.all())).toEqual([[0, '00'], [1, '01'], ['no line of ours', '01']]);
    const next = line('2026-01-01T00:00:02.000Z', { n: 2 });
    appendFileSync(path, next.slice(0, 20));
    expect(reader.more()).toEqual([]);
    appendFileSync(path, next.slice(20));
    expect(shown(reader.more())).toEqual([[2, '02']]);
    appendFileSync(path, line('2026-01-01T00:00:03.000Z', { n: 3 }));
    renameSync(path, `${path}.1`);
    writeFileSync(path, line('2026-01-01T00:00:04.000Z', { n: 4 }));
    expect(shown(reader.more())).toEqual([[3, '03'], [4, '04']]);
    expect(logNames(folder)).toEqual([...new Set(readdirSync(folder).map((file) => file.split('.')[0]))].sort());
  });

  test('finds a story by its id, and then whatever names its request or its trace', () => {
    const parsed = (fields: object): LogLine => ({ process: 'p', time: '', text: JSON.stringify(fields), fields: fields as LogLine['fields'] });
    const all = [parsed({ n: 1, correlation_id: 'c' }), parsed({ n: 2, aggregate_id: 'id', correlation_id: 'c', trace_id: 't' }), parsed({ n: 3, trace_id: 't' }), parsed({ n: 4, correlation_id: 'd', aggregate_id: 'id-2' }), parsed({ n: 5, workflow_id: 'order/id' })];
    const story = new OfStory('id');
    story.learn(all);
    expect(all.filter((one) => story.is(one)).map(({ fields }) => fields?.n)).toEqual([1, 2, 3, 5]);
  });
});
