import { closeSync, existsSync, openSync, readdirSync, readSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';

/** A line of a log file. */
export interface LogLine {
  readonly process: string;
  /** ISO 8601; what is no line of ours has the time of the line before it. */
  readonly time: string;
  /** As it was written. */
  readonly text: string;
  /** Its fields; undefined where it is no JSON, as a part's lines are, or what a runtime says when it dies. */
  readonly fields: Readonly<Record<string, unknown>> | undefined;
}

/** Read at once, bytes. A line that is longer is no line of ours. */
const CHUNK_BYTES = 1_048_576;

/** The names of the logs in a folder: `api` for api.log and api.log.1. */
export function logNames(folder: string): string[] {
  if (!existsSync(folder)) return [];
  return [...new Set(readdirSync(folder).flatMap((file) => /^(.+)\.log(\.1)?$/.exec(file)?.[1] ?? []))].sort();
}

/** Reads one log as it grows: each call gives the lines that are new. A file that was put aside is followed anew. */
export class LogReader {
  private readonly path: string;
  private read = 0;
  private file: number | undefined;
  private half = '';
  private lastTime = '';

  constructor(
    readonly folder: string,
    readonly name: string,
  ) {
    this.path = join(folder, `${name}.log`);
  }

  /** What was put aside before, and all that is there now. */
  all(): LogLine[] {
    return [...this.linesOf(textFrom(`${this.path}.1`, 0).text), ...this.more()];
  }

  more(): LogLine[] {
    if (!existsSync(this.path)) return [];
    const { size, ino } = statSync(this.path);
    let before = '';
    if (size < this.read || (this.file !== undefined && this.file !== ino)) {
      // It was put aside, with what had been written since the last look.
      before = textFrom(`${this.path}.1`, this.read).text;
      this.read = 0;
    }
    this.file = ino;
    const { text, bytes } = textFrom(this.path, this.read);
    this.read += bytes;
    const lines = `${this.half}${before}${text}`.split('\n');
    // What has no end yet is being written just now.
    this.half = lines.pop() ?? '';
    return this.linesOf(lines.join('\n'));
  }

  private linesOf(text: string): LogLine[] {
    return text.split('\n').filter((line) => line.trim() !== '').map((line) => {
      const fields = fieldsOf(line);
      if (typeof fields?.time === 'string') this.lastTime = fields.time;
      return { process: basename(this.name), time: this.lastTime, text: line, fields };
    });
  }
}

function textFrom(path: string, from: number): { text: string; bytes: number } {
  if (!existsSync(path)) return { text: '', bytes: 0 };
  const file = openSync(path, 'r');
  try {
    const chunks: Buffer[] = [];
    let at = from;
    for (;;) {
      const chunk = Buffer.alloc(CHUNK_BYTES);
      const got = readSync(file, chunk, 0, CHUNK_BYTES, at);
      if (got === 0) break;
      chunks.push(chunk.subarray(0, got));
      at += got;
    }
    return { text: Buffer.concat(chunks).toString('utf8'), bytes: at - from };
  } finally {
    closeSync(file);
  }
}

function fieldsOf(line: string): Record<string, unknown> | undefined {
  if (!line.startsWith('{')) return undefined;
  try {
    return JSON.parse(line) as Record<string, unknown>;
  } catch (thrown) {
    if (thrown instanceof SyntaxError) return undefined; // Cut off, by whoever died while writing it.
    throw thrown;
  }
}
