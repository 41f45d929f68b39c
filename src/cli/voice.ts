import type { Command } from 'commander';
import { FazendaError, textOf } from '../errors';

/** How a command speaks: lines for a person, or one JSON document for a program. Never both. */
export class Voice {
  constructor(
    readonly json: boolean,
    private readonly write: (text: string) => void = (text) => process.stdout.write(text),
    private readonly writeError: (text: string) => void = (text) => process.stderr.write(text),
  ) {}

  /** A line while the work goes on; programs do not see it. */
  line(text: string): void {
    if (!this.json) this.write(`${text}\n`);
  }

  /** A document of its own on its own line, for programs that read as it comes. */
  raw(json: string): void {
    this.write(`${json}\n`);
  }

  /** What came of it. Said once, at the end. */
  result(document: object, text = ''): void {
    if (this.json) this.write(`${JSON.stringify(document, null, 2)}\n`);
    else if (text !== '') this.write(`${text}\n`);
  }

  fault(thrown: unknown): void {
    const fault = thrown instanceof FazendaError ? thrown : new FazendaError('FZ_INTERNAL', textOf(thrown), {}, thrown);
    if (!this.json) return this.writeError(`${fault.line}\n`);
    const { code, message, kind, details } = fault;
    this.write(`${JSON.stringify({ error: { code, message, next: kind.next, ...details } }, null, 2)}\n`);
  }
}

/** What a command does. The number is the exit code; none is 0. */
export type Work = (voice: Voice, command: Command) => Promise<number | void>;

/** Ties work to a command; how `--json` and faults are said is the same for all of them. */
export function act(command: Command, work: Work): void {
  command.action(async () => {
    const voice = new Voice(Boolean(command.optsWithGlobals().json));
    try {
      process.exitCode = (await work(voice, command)) ?? 0;
    } catch (thrown) {
      voice.fault(thrown);
      process.exitCode = 1;
    }
  });
}
