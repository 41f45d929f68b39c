/** A chunk that is in hand. */
interface Held {
  readonly records: number;
  /** The offset of its last record, or of what ends the transaction of that one. */
  readonly passed: string;
  done: boolean;
}

/**
 * The chunks of one partition that a member has in hand: several, where one lets the next come before it is done.
 * They are committed in their order, each after its work, those that are done together by one commit. Behind one
 * that was given up nothing is committed: all of it comes again, to whoever has the partition then.
 */
export class PartitionLine {
  private readonly held: Held[] = [];
  private due: string | undefined;
  private committing: Promise<void> | undefined;
  private freed: () => void = () => undefined;

  /** @param commit resolves when what lies up to here is committed, or when nobody needs that any longer; never rejects */
  constructor(private readonly commit: (passed: string) => Promise<void>) {}

  /** Resolves when fewer records than these are in hand. */
  async room(records: number): Promise<void> {
    while (this.held.reduce((sum, one) => sum + one.records, 0) >= records) await new Promise<void>((resolve) => (this.freed = resolve));
  }

  /** True where everything before this chunk is committed, or about to be. */
  isFirst(passed: string): boolean {
    return this.held[0]?.passed === passed;
  }

  /**
   * Takes a chunk in hand behind those that are; resolves when it is over and, unless one before it is not, committed.
   * @param work true where the chunk was done, false where it was given up; never rejects
   */
  async take(records: number, passed: string, work: Promise<boolean>): Promise<void> {
    const mine: Held = { records, passed, done: false };
    this.held.push(mine);
    mine.done = await work;
    const at = this.held.indexOf(mine);
    if (!mine.done && at >= 0) this.held.splice(at);
    while (this.held[0]?.done) this.due = this.held.shift()?.passed;
    this.freed();
    if (this.due !== undefined) this.committing ??= this.commitDue();
    await this.committing;
  }

  private async commitDue(): Promise<void> {
    while (this.due !== undefined) {
      const passed = this.due;
      this.due = undefined;
      await this.commit(passed);
    }
    this.committing = undefined;
  }
}
