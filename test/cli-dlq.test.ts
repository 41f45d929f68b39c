import { randomUUID } from 'node:crypto';
import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { openIndexer } from '../src/deadletters/indexer';
import { FazendaError } from '../src/errors';
import { deadLetterOf } from '../src/ingress/deadletters';
import { openLog } from '../src/log';
import { openApi, type TestApi } from './setup/api';
import { json, openCli, type CliBench, type Outcome } from './setup/cli';
import { created } from './setup/ingress';
import { rawRecordsOn } from './setup/raw-records';
import { PARTS_TIMEOUT_MS } from './setup/stack';
import { until } from './setup/until';

/** `dlq`: causes, list, show, edit and redrive, through a real API; the test writes the letters as the doors do. */

const TOKEN = 'the-token-of-cli-dlq';
let cli: CliBench;
let api: TestApi;
let index: ReturnType<typeof openIndexer>;
beforeAll(async () => {
  cli = await openCli();
  const { DATABASE_URL = '', KAFKA_TOPIC_PREFIX = '' } = cli.env;
  api = await openApi({ env: { DATABASE_URL, KAFKA_TOPIC_PREFIX, FAZENDA_ADMIN_TOKEN: TOKEN } });
  index = openIndexer({ config: api.config, db: api.db, log: openLog(api.config, 'index') });
  index.start();
}, PARTS_TIMEOUT_MS);
afterAll(async () => {
  await index.stop();
  await api.close();
  await cli.close();
});

const dlq = (args: readonly string[], env: Record<string, string> = {}): Promise<Outcome> => cli.run(['dlq', ...args, '--api', api.url], { ...cli.env, FAZENDA_ADMIN_TOKEN: TOKEN, ...env });
const listed = async () => (json(await dlq(['list', '--json', '--limit', '1000'])).items as { id: string; state: string; redrive: { by: string } | null }[]);
const backOn = async (id: string) => (await rawRecordsOn(api.config, 'task.created')).filter(({ headers }) => String(headers.redriven_from) === id);

let offset = 0;
/** A letter on the topic, as a door writes it; gives its id once the command line knows it. */
async function died(value: Buffer, code: 'FZ_SCHEMA_INVALID' | 'FZ_RECORD_UNDECODABLE' = 'FZ_SCHEMA_INVALID', count = 1): Promise<string[]> {
  const ids: string[] = [];
  // All in one millisecond, so that only their places say which comes first.
  const at = new Date();
  for (let left = count; left > 0; left -= 1) {
    const record = { topic: 'task.created', partition: 2, offset: String((offset += 1)), key: Buffer.from('k'), value, headers: {}, rawHeaders: { 'x-from': 'a partner' }, timestamp: 0 };
    await api.producer.send([deadLetterOf(record, new FazendaError(code, 'wrong'), 'task-assignment-group', at)]);
    ids.push(`task.created/2/${offset}`);
  }
  await until(async () => ids.every((id) => known.has(id)) || ((known = new Set((await listed()).map(({ id }) => id))), ids.every((id) => known.has(id))), 'they are listed', 30_000, 200);
  return ids;
}
let known = new Set<string>();

test('nothing has died, then the causes are counted, and the letters listed and shown', async () => {
  expect((await dlq([])).out).toBe('Nothing has died.\n');
  const [id = ''] = await died(Buffer.from('{"a":1}'), 'FZ_RECORD_UNDECODABLE');
  expect((await dlq([])).out).toMatch(/FZ_RECORD_UNDECODABLE +task\.created +task-assignment-group +1 +1 /);
  expect((await dlq(['list', '--code', 'FZ_RECORD_UNDECODABLE', '--since', '1h'])).out).toMatch(new RegExp(`${id} .*open +wrong`));
  expect((await dlq(['list', '--code', 'FZ_SCHEMA_INVALID'])).out).toBe('There is none.\n');
  expect(json(await dlq(['list', '--json', '--until', '1h']))).toEqual({ items: [] });

  const shown = await dlq(['show', id]);
  expect([shown.code, shown.out]).toEqual([0, expect.stringMatching(/x-from +a partner/)]);
  expect(shown.out).toMatch(/Now it would be dead lettered: FZ_SCHEMA_INVALID/);
  expect(shown.out.endsWith('{"a":1}\n')).toBe(true);
  expect((await dlq(['show', id, '--raw'])).out).toBe('{"a":1}');
  expect(json(await dlq(['show', id, '--json']))).toMatchObject({ id, decoded: { value: { a: 1 } } });
}, 60_000);

test('edit refuses what would die too, tries without doing, and puts back what is right', async () => {
  const taskId = randomUUID();
  const [id = ''] = await died(created(taskId, { userId: undefined }));
  const refused = await dlq(['edit', id, '--value', '{"taskId":1}']);
  expect([refused.code, refused.err]).toEqual([1, expect.stringMatching(/^FZ_SCHEMA_INVALID: .*taskId/)]);
  const good = created(taskId);
  expect((await dlq(['edit', id, '--value', String(good), '--dry-run'])).out).toBe(`${id} would be started: task ${taskId}\n`);
  expect(await backOn(id)).toEqual([]);

  const file = join(cli.home, 'mended.json');
  writeFileSync(file, good);
  const done = await dlq(['edit', id, '--file', file, '--why', 'no user', '--json']);
  expect([done.code, json(done)]).toEqual([0, expect.objectContaining({ id, edited: true, why: 'no user' })]);
  expect((await backOn(id)).map(({ value }) => value)).toEqual([good]);
}, 60_000);

test('edit opens an editor, and keeps what was written where it is refused', async () => {
  const taskId = randomUUID();
  const [id = ''] = await died(created(taskId, { priority: 'urgent' }));
  const editor = join(cli.home, 'editor.sh');
  const editsTo = (from: string, to: string) => {
    writeFileSync(editor, `#!/bin/sh\nsed -i 's/${from}/${to}/' "$1"\n`);
    chmodSync(editor, 0o700);
  };
  editsTo('urgent', 'quick');
  const refused = await dlq(['edit', id], { EDITOR: editor });
  expect([refused.code, refused.out]).toEqual([1, expect.stringMatching(/What you wrote is in .*value\.json/)]);
  editsTo('nothing', 'less');
  expect((await dlq(['edit', id], { EDITOR: editor })).err).toMatch(/nothing was changed/);
  editsTo('urgent', 'high');
  expect((await dlq(['edit', id], { EDITOR: editor })).code).toBe(0);
  expect((await backOn(id)).map(({ value }) => value)).toEqual([created(taskId, { priority: 'high' })]);
}, 60_000);

test('redrive puts one back, or all of a cause over as many calls as it takes, and refuses a second time', async () => {
  const [id = ''] = await died(Buffer.from('{"once":1}'));
  expect((await dlq(['redrive', id, '--dry-run'])).out).toMatch(new RegExp(`^${id} would be dead lettered: FZ_SCHEMA_INVALID`));
  expect((await dlq(['redrive', id, '--why', 'to see'])).out).toMatch(new RegExp(`^${id} → task\\.created/2/\\d+\n$`));
  const again = await dlq(['redrive', id]);
  expect([again.code, again.err]).toEqual([1, expect.stringMatching(/^FZ_ALREADY_REDRIVEN: /)]);

  const many = await died(Buffer.from('{"many":1}'), 'FZ_SCHEMA_INVALID', 130);
  const done = await dlq(['redrive', '--code', 'FZ_SCHEMA_INVALID', '--rate', '1000', '--json']);
  expect([done.code, (json(done).redriven as string[]).filter((one) => many.includes(one))]).toEqual([0, many]);
  const some = await dlq(['redrive', ...many.slice(0, 2), '--rate', '1000']);
  expect([some.code, some.out]).toEqual([1, expect.stringMatching(/0 redriven, 2 refused\.\n$/)]);
  expect((await listed()).filter(({ state }) => state === 'open').map(({ id: left }) => left)).toEqual(['task.created/2/1']);
}, 120_000);

test.each([[['redrive']], [['redrive', 'x', '--all']], [['redrive', '--all', '--rate', '0']], [['list', '--since', 'soon']], [['list', '--limit', '0']], [['edit', 'x', '--value', '1', '--file', 'y']], [['bury']]])('%j is no command', async (args) => {
  const { code, err } = await dlq(args);
  expect([code, err]).toEqual([1, expect.stringMatching(/^FZ_USAGE: /)]);
});

test('without the token it says what to send', async () => {
  const { code, err } = await dlq(['list'], { FAZENDA_ADMIN_TOKEN: 'wrong' });
  expect([code, err]).toEqual([1, expect.stringMatching(/^FZ_UNAUTHORIZED: /)]);
});
