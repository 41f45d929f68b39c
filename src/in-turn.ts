/**
 * Works on items, so many at a time. After a fault nothing more is begun, and what was begun is over when this
 * rejects: whoever tries again is alone.
 */
export async function inTurn<Item>(items: readonly Item[], atOnce: number, work: (item: Item) => Promise<void>): Promise<void> {
  const left = items[Symbol.iterator]();
  const faults: unknown[] = [];
  const runners = Array.from({ length: Math.min(atOnce, items.length) }, async () => {
    for (const item of left) {
      if (faults.length > 0) return;
      await work(item).catch((thrown: unknown) => faults.push(thrown));
    }
  });
  await Promise.all(runners);
  if (faults.length > 0) throw faults[0];
}
