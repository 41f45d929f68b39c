import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { temporal } from '@temporalio/proto';

const { History } = temporal.api.history.v1;
export type RecordedHistory = temporal.api.history.v1.IHistory;

const FOLDER = join(__dirname, '..', 'histories');

/** Names of all recorded histories. */
export function recordedHistories(): string[] {
  return readdirSync(FOLDER).filter((name) => name.endsWith('.json')).map((name) => name.replace(/\.json$/, ''));
}

export function textOfHistory(name: string): string {
  return readFileSync(join(FOLDER, `${name}.json`), 'utf8');
}

/**
 * Written by protobufjs itself, because the SDK's `historyToJSON` fails ("type must be a Type") where npm
 * installs protobufjs more than once.
 */
export function parseHistory(text: string): RecordedHistory {
  return History.fromObject(JSON.parse(text) as Record<string, unknown>);
}

/** A process of a worker, as Temporal names it and its sticky queue: its id and its machine. */
const PROCESS = /\d+@.+?(?=-[0-9a-f]{32}$|$)/;

/** Keeps a history without the machine it was recorded on, and without lines of code in its faults. */
export function writeHistory(name: string, history: RecordedHistory): void {
  const plain = History.toObject(History.fromObject(history), { longs: String, enums: String, bytes: String });
  const anonymous = (key: string, value: unknown): unknown => {
    if (key === 'stackTrace') return '';
    return (key === 'identity' || key === 'name') && typeof value === 'string' ? value.replace(PROCESS, 'recorder') : value;
  };
  writeFileSync(join(FOLDER, `${name}.json`), `${JSON.stringify(plain, anonymous, 1)}\n`);
}
