import { Argument, type Command } from 'commander';
import ms, { type StringValue } from 'ms';
import { userInfo } from 'node:os';
import { FazendaError } from '../errors';
import { callApi } from './api';
import { apiAddress } from './endpoints';

/** What the commands about dead letters share: how the API speaks of them, and how they are chosen. */

export const LETTERS_PATH = '/admin/dead-letters';

/** A letter as the API lists it; what a command shows of it. */
export interface ListedLetter {
  readonly id: string;
  readonly errorCode: string;
  readonly reason: string;
  readonly at: string;
  readonly state: string;
  readonly group: string | null;
  readonly redrivenFrom: string | null;
  readonly redrive: { readonly by: string; readonly why: string | null; readonly at: string; readonly edited: boolean; readonly redrivenTo: string | null } | null;
}

export interface Bytes { readonly text: string | null; readonly base64: string; readonly bytes: number; readonly truncated: boolean }
/** All of a letter, as the API shows it. */
export interface WholeLetter extends ListedLetter {
  readonly key: Bytes | null;
  readonly headers: readonly { readonly name: string; readonly text: string | null; readonly base64: string | null }[];
  readonly value: Bytes | null;
  readonly decoded: { readonly value?: unknown; readonly errorCode?: string; readonly reason?: string };
  readonly next: string | null;
  readonly wouldBecome: WouldBecome;
}
export interface WouldBecome { readonly fate: string; readonly noun?: string; readonly aggregateId?: string; readonly errorCode?: string; readonly reason?: string }

export async function wholeLetter(api: string, id: string): Promise<WholeLetter> {
  return await callApi(api, 'GET', letterPath(id)) as never;
}

export function letterPath(id: string): string {
  return `${LETTERS_PATH}/${encodeURIComponent(id)}`;
}

export function foreseenText({ fate, noun, aggregateId, errorCode, reason }: WouldBecome): string {
  const what = fate.replace('_', ' ');
  if (errorCode) return `${what}: ${errorCode}: ${reason}`;
  return aggregateId ? `${what}: ${noun ?? ''} ${aggregateId}` : what;
}

export const API_OPTION = ['--api <url>', 'the API; by default the one that runs here'] as const;

export function idArgument(): Argument {
  return new Argument('<id>', 'topic/partition/offset of the record that died');
}

export function apiOf(command: Command): string {
  return apiAddress(command.optsWithGlobals<{ api?: string }>().api);
}

/** The options by which letters are chosen. */
export function selectable(command: Command): Command {
  return command
    .option('--code <code>', 'died of this error code').option('--topic <topic>', 'on this topic').option('--group <group>', 'of this consumer group')
    .option('--since <instant>', 'died at this instant or later, or so long ago: 90m, 2d').option('--until <instant>', 'died before it')
    .option('--state <state>', 'open, unfinished or redriven')
    .option(...API_OPTION);
}

/** What was chosen, as the API is asked for it. */
export function selectionOf(command: Command): Record<string, string> {
  // What stands above a command in the line of commands may have taken its options.
  const given = command.optsWithGlobals<Record<string, string | undefined>>();
  const named = ['code', 'topic', 'group', 'state'].flatMap((name) => (given[name] ? [[name, given[name]]] : []));
  const timed = ['since', 'until'].flatMap((name) => (given[name] ? [[name, instantOf(name, given[name])]] : []));
  return Object.fromEntries([...named, ...timed]) as Record<string, string>;
}

function instantOf(name: string, text: string): string {
  const ago = /^\d+(\.\d+)?\s*[a-z]+$/i.test(text) ? ms(text as StringValue) : undefined;
  const at = ago === undefined ? Date.parse(text) : Date.now() - ago;
  if (Number.isNaN(at)) throw new FazendaError('FZ_USAGE', `--${name} ${text} is no instant, and no time ago such as 90m`);
  return new Date(at).toISOString();
}

/** Who asks, where his name can stand in a header. */
export function whoAsks(): Record<string, string> {
  const { username } = userInfo();
  return /^[\x21-\x7e]{1,255}$/.test(username) ? { 'x-user-id': username } : {};
}
