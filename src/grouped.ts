interface Call<Item, Result> {
  readonly items: readonly Item[];
  resolve(result: Result): void;
  reject(reason: unknown): void;
}

/**
 * One call for many callers, as a group commit has it: what is asked while a call is under way goes out together in
 * the next. A lone caller waits for nobody. Whatever comes of the call, an answer or a fault, is for each who was in it.
 * @param most items of one call; a caller who brings more is alone in his
 * @param restMs from the end of a call to the beginning of the next, at least; who comes after that waits for nobody
 * @param keyOf two items of one key never share a call: the later one's caller waits for the next
 */
export function grouped<Item, Result>(
  call: (items: readonly Item[]) => Promise<Result>, { most = Infinity, restMs = 0, keyOf }: { readonly most?: number; readonly restMs?: number; readonly keyOf?: (item: Item) => string } = {},
): (items: readonly Item[]) => Promise<Result> {
  let waiting: Call<Item, Result>[] = [];
  let busy = false;

  async function work(): Promise<void> {
    busy = true;
    while (waiting.length > 0) {
      const together = takeNext();
      try {
        const result = await call(together.flatMap(({ items }) => items));
        for (const { resolve } of together) resolve(result);
      } catch (thrown) {
        for (const { reject } of together) reject(thrown);
      }
      if (restMs > 0) await new Promise((resolve) => setTimeout(resolve, restMs));
    }
    busy = false;
  }

  /** Those who came first; who does not fit goes behind nobody who came after him. */
  function takeNext(): Call<Item, Result>[] {
    const keys = new Set<string>();
    let count = 0;
    let taken = 0;
    for (const { items } of waiting) {
      count += items.length;
      const own = keyOf ? items.map(keyOf) : [];
      if (taken > 0 && (count > most || own.some((key) => keys.has(key)))) break;
      for (const key of own) keys.add(key);
      taken += 1;
    }
    const together = waiting.slice(0, taken);
    waiting = waiting.slice(taken);
    return together;
  }

  return (items) =>
    new Promise((resolve, reject) => {
      waiting.push({ items, resolve, reject });
      if (!busy) void work();
    });
}
