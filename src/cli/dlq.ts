import type { Command } from 'commander';
import { FazendaError } from '../errors';
import { callApi } from './api';
import { dlqEditCommand } from './dlq-edit';
import { dlqRedriveCommand } from './dlq-redrive';
import { API_OPTION, apiOf, foreseenText, idArgument, LETTERS_PATH, selectable, selectionOf, wholeLetter, type Bytes, type ListedLetter, type WholeLetter } from './dlq-letters';
import { table } from './lines';
import { act, type Voice } from './voice';

const PAGE = 100;
const REASON_SHOWN = 100;

/** `dlq`: what died of what; and under it what can be done about it. */
export function dlqCommand(program: Command): void {
  const command = selectable(program.command('dlq').description('dead letters by cause; list, show, edit and redrive them'));
  act(command, async (voice) => {
    const { items } = await callApi(apiOf(command), 'GET', `${LETTERS_PATH}/causes?${queryOf(command)}`) as { items: readonly Record<string, string | number | null>[] };
    const rows = items.map(({ errorCode, topic, group, letters, open, newest }) => [String(errorCode), String(topic), String(group ?? '—'), Number(open), Number(letters), String(newest)]);
    if (rows.length > 0) for (const line of table([['code', 'topic', 'group', 'open', 'letters', 'last'], ...rows])) voice.line(line);
    voice.result({ items }, rows.length > 0 ? '' : 'Nothing has died.');
  });
  listCommand(command);
  showCommand(command);
  dlqEditCommand(command);
  dlqRedriveCommand(command);
}

function listCommand(dlq: Command): void {
  const command = selectable(dlq.command('list').description('dead letters, newest first')).option('--limit <n>', 'how many at most', '50');
  act(command, async (voice) => {
    const limit = Number(command.opts().limit);
    if (!(limit >= 1)) throw new FazendaError('FZ_USAGE', '--limit takes a number from 1');
    const items = await lettersOf(apiOf(command), queryOf(command), limit);
    const rows = items.map(({ id, at, errorCode, state, reason }) => [id, at, errorCode, state, reason.slice(0, REASON_SHOWN)]);
    if (rows.length > 0) for (const line of table([['id', 'died', 'code', 'state', 'why'], ...rows])) voice.line(line);
    voice.result({ items }, rows.length > 0 ? '' : 'There is none.');
  });
}

async function lettersOf(api: string, query: URLSearchParams, limit: number): Promise<ListedLetter[]> {
  const all: ListedLetter[] = [];
  for (let cursor: string | null = ''; cursor !== null && all.length < limit; ) {
    query.set('limit', String(Math.min(PAGE, limit - all.length)));
    query.set('cursor', cursor);
    const page: { items: ListedLetter[]; nextCursor: string | null } = await callApi(api, 'GET', `${LETTERS_PATH}?${query}`) as never;
    all.push(...page.items);
    cursor = page.nextCursor;
  }
  return all;
}

function showCommand(dlq: Command): void {
  const command = dlq.command('show').description('one dead letter, to the last byte').addArgument(idArgument())
    .option('--raw', 'only the bytes of its value').option(...API_OPTION);
  act(command, async (voice) => {
    const letter = await wholeLetter(apiOf(command), String(command.args[0]));
    if (command.opts().raw) {
      if (letter.value?.truncated) throw new FazendaError('FZ_RECORD_TOO_LARGE', `the value has ${letter.value.bytes} bytes; read it from its topic`);
      process.stdout.write(Buffer.from(letter.value?.base64 ?? '', 'base64'));
      return;
    }
    describe(voice, letter);
    voice.result(letter);
  });
}

function describe(voice: Voice, { id, at, group, errorCode, reason, state, redrive, redrivenFrom, key, headers, value, wouldBecome }: WholeLetter): void {
  voice.line(`${id} · ${state} · died ${at}, read by ${group ?? 'nobody known'}`);
  voice.line(`${errorCode}: ${reason}`);
  if (redrivenFrom) voice.line(`It is the redrive of ${redrivenFrom}.`);
  if (redrive) voice.line(`Redriven ${redrive.at} by ${redrive.by}${redrive.edited ? ', edited' : ''}${redrive.why ? `: ${redrive.why}` : ''}${redrive.redrivenTo ? ` → ${redrive.redrivenTo}` : ''}`);
  voice.line(`Now it would be ${foreseenText(wouldBecome)}`);
  voice.line('');
  const rows = [['key', shown(key)], ...headers.map((header): [string, string] => [header.name, header.text ?? `base64 ${header.base64}`])];
  for (const line of table(rows)) voice.line(line);
  voice.line('');
  voice.line(shown(value));
}

function shown(bytes: Bytes | null): string {
  if (bytes === null) return '(null)';
  if (bytes.bytes === 0) return '(empty)';
  if (bytes.truncated) return `(${bytes.bytes} bytes)`;
  return bytes.text ?? `base64 ${bytes.base64}`;
}

function queryOf(command: Command): URLSearchParams {
  return new URLSearchParams(selectionOf(command));
}
