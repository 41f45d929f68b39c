/** Rows that were put in together at most, whatever their size; a chunk that is larger goes alone. */
const ROWS_MAX = 20_000;
/** Characters of their payloads together, at most. */
const CHARACTERS_MAX = 16 * 1_048_576;
/** How long the first row waits for company, ms: one insert a second costs ClickHouse little, and a refill fills batches. */
const LINGER_MS = 1_000;

export interface BatchLimits {
  readonly rowsMax?: number;
  readonly charactersMax?: number;
  readonly lingerMs?: number;
}

export interface Batches<Row> {
  /** Resolves once these rows are stored, and rejects where their batch could not be: then none of it counts as stored. */
  add(rows: readonly Row[]): Promise<void>;
}

interface Waiting<Row> {
  readonly rows: readonly Row[];
  readonly done: () => void;
  readonly failed: (reason: unknown) => void;
}

/**
 * Puts what comes from many partitions together into few inserts, one at a time, by count, by size and by time. What is
 * in memory is what its callers wait for, and none of them hands over more before that is stored.
 */
export function openBatches<Row extends { readonly payload: string }>(
  store: (rows: readonly Row[]) => Promise<void>, { rowsMax = ROWS_MAX, charactersMax = CHARACTERS_MAX, lingerMs = LINGER_MS }: BatchLimits = {},
): Batches<Row> {
  let waiting: Waiting<Row>[] = [];
  let rows = 0;
  let characters = 0;
  let timer: NodeJS.Timeout | undefined;
  let busy = false;

  async function flush(): Promise<void> {
    clearTimeout(timer);
    timer = undefined;
    if (busy || waiting.length === 0) return;
    busy = true;
    const batch = waiting;
    [waiting, rows, characters] = [[], 0, 0];
    try {
      await store(batch.flatMap((one) => one.rows));
      for (const { done } of batch) done();
    } catch (thrown) {
      for (const { failed } of batch) failed(thrown);
    } finally {
      busy = false;
    }
    // What came meanwhile has waited as long as that took.
    if (waiting.length > 0) void flush();
  }

  return {
    add(some) {
      if (some.length === 0) return Promise.resolve();
      return new Promise((done, failed) => {
        waiting.push({ rows: some, done, failed });
        rows += some.length;
        for (const { payload } of some) characters += payload.length;
        if (rows >= rowsMax || characters >= charactersMax) void flush();
        else timer ??= setTimeout(() => void flush(), lingerMs);
      });
    },
  };
}
