/**
 * Hands things from one who makes them to one who takes them, one at a time: who gives waits until it is taken,
 * so that nothing piles up between the two, however slow the taker is.
 */
export class HandOver<Item> {
  private readonly offers: { readonly item: Item; taken(): void }[] = [];
  private arrived: () => void = () => undefined;
  private over = false;
  private fault: Error | undefined;

  /** Resolves when the item was taken, or when nobody takes any more. */
  give(item: Item): Promise<void> {
    if (this.over) return Promise.resolve();
    return new Promise((taken) => {
      this.offers.push({ item, taken });
      this.arrived();
    });
  }

  /**
   * The next item; undefined at the end.
   * @throws what it was ended with, or `late()` where nothing came within `withinMs`.
   */
  async take(withinMs: number, late: () => Error): Promise<Item | undefined> {
    if (this.offers.length === 0 && !this.over) await this.arrival(withinMs, late);
    if (this.fault) throw this.fault;
    const offer = this.offers.shift();
    offer?.taken();
    return offer?.item;
  }

  /** Nothing comes any more; what was offered can still be taken, unless there is a fault. The first end counts. */
  end(fault?: Error): void {
    if (this.over) return;
    this.over = true;
    this.fault = fault;
    this.arrived();
  }

  /** Nobody takes any more: whoever waits to give goes free. */
  abandon(): void {
    this.end();
    for (const { taken } of this.offers.splice(0)) taken();
  }

  private arrival(withinMs: number, late: () => Error): Promise<void> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(late()), withinMs);
      this.arrived = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}
