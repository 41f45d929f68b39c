import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Command } from 'commander';
import { FazendaError } from '../errors';
import { callApi } from './api';
import { API_OPTION, apiOf, foreseenText, idArgument, letterPath, whoAsks, wholeLetter, type WholeLetter, type WouldBecome } from './dlq-letters';
import { act } from './voice';

interface Options { readonly value?: string; readonly file?: string; readonly why?: string; readonly dryRun?: boolean }

/** `dlq edit`: mends a value, by an editor or as given, and puts it back in the place of the one that died. */
export function dlqEditCommand(dlq: Command): void {
  const command = dlq.command('edit').description('redrive one with another value, which has to be one that would be taken').addArgument(idArgument())
    .option('--value <text>', 'the new value').option('--file <path>', 'the file that holds it; without either $VISUAL or $EDITOR is opened')
    .option('--why <text>', 'why; it is kept with it').option('--dry-run', 'only say what it would become').option(...API_OPTION);
  act(command, async (voice) => {
    const { value, file, why, dryRun = false } = command.opts<Options>();
    if (value !== undefined && file !== undefined) throw new FazendaError('FZ_USAGE', '--value and --file exclude each other');
    const api = apiOf(command);
    const id = String(command.args[0]);
    const edited = value !== undefined ? { bytes: Buffer.from(value, 'utf8') } : file !== undefined ? { bytes: readFileSync(file) } : inEditor(await wholeLetter(api, id));
    try {
      const answer = await callApi(api, 'POST', `${letterPath(id)}/redrive`, { ...(why && { why }), valueBase64: edited.bytes.toString('base64'), dryRun }, whoAsks());
      voice.result(answer, dryRun ? `${id} would be ${foreseenText(answer.wouldBecome as WouldBecome)}` : `${id} → ${String(answer.redrivenTo)}`);
    } catch (thrown) {
      if (edited.path) voice.line(`What you wrote is in ${edited.path}: npx fazenda dlq edit ${id} --file ${edited.path}`);
      throw thrown;
    }
  });
}

interface Edited { readonly bytes: Buffer; readonly path?: string }

/** @throws FazendaError FZ_USAGE where there is no editor, nothing to edit, or nothing was changed */
function inEditor(letter: WholeLetter): Edited {
  const editor = process.env.VISUAL || process.env.EDITOR;
  if (!editor) throw new FazendaError('FZ_USAGE', 'neither --value nor --file is given, and neither VISUAL nor EDITOR is set');
  const text = editable(letter);
  const path = join(mkdtempSync(join(tmpdir(), 'fazenda-dlq-')), 'value.json');
  writeFileSync(path, text, { mode: 0o600 });
  // An editor is a command line, as git takes it: it may have options.
  const { status } = spawnSync('/bin/sh', ['-c', `${editor} "$1"`, 'sh', path], { stdio: 'inherit' });
  if (status !== 0) throw new FazendaError('FZ_USAGE', `${editor} ended with ${status ?? 'a signal'}; nothing was redriven`);
  const written = readFileSync(path, 'utf8').replace(/\n$/, '');
  if (written === text.replace(/\n$/, '')) throw new FazendaError('FZ_USAGE', 'nothing was changed, so nothing was redriven');
  return { bytes: Buffer.from(written, 'utf8'), path };
}

/** What Avro in the Confluent wire format begins with, and no text does. */
const AVRO_MAGIC_BYTE = 0;

/** Its own text; of a value that is Avro, what it says. */
function editable({ value, decoded }: WholeLetter): string {
  if (value === null) return '';
  if (value.truncated) throw new FazendaError('FZ_USAGE', `the value has ${value.bytes} bytes; give what it is to be by --file`);
  if (decoded.value !== undefined && Buffer.from(value.base64, 'base64')[0] === AVRO_MAGIC_BYTE) return `${JSON.stringify(decoded.value, null, 2)}\n`;
  if (value.text === null) throw new FazendaError('FZ_USAGE', 'the value is no text; give what it is to be by --file');
  return value.text;
}
