import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** A letter as readers of the mailbox see it. */
export interface KeptLetter {
  readonly messageId: string;
  readonly to: string;
  readonly subject: string;
  readonly text: string;
  /** When it was taken, ISO 8601 UTC. */
  readonly at: string;
}

/** Letters kept; the oldest goes first. */
const LETTERS_MAX = 20_000;

/** The last letters, newest first, a file each, so that they are there again after a restart. */
export class MailboxStore {
  /** Newest last. */
  private readonly kept: { readonly file: string; readonly letter: KeptLetter }[];
  private next: number;

  constructor(private readonly folder: string, private readonly lettersMax = LETTERS_MAX) {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    const files = readdirSync(folder).filter((name) => /^\d{12}\.json$/.test(name)).sort();
    this.kept = files.map((file) => ({ file, letter: JSON.parse(readFileSync(join(folder, file), 'utf8')) as KeptLetter }));
    this.next = Number((files.at(-1) ?? '0').slice(0, 12)) + 1;
  }

  /** Whole or not at all: the sender is told that it was taken only after this. */
  add(letter: KeptLetter): void {
    const file = `${String(this.next).padStart(12, '0')}.json`;
    this.next += 1;
    const path = join(this.folder, file);
    writeFileSync(`${path}.new`, JSON.stringify(letter), { mode: 0o600 });
    renameSync(`${path}.new`, path);
    this.kept.push({ file, letter });
    while (this.kept.length > this.lettersMax) {
      const oldest = this.kept.shift();
      if (oldest) rmSync(join(this.folder, oldest.file), { force: true });
    }
  }

  all(): KeptLetter[] {
    return this.kept.map(({ letter }) => letter).reverse();
  }
}
