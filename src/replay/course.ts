/** A stretch of one partition: from an offset, up to and without another. Topics by their names in the contracts. */
export interface Span {
  readonly topic: string;
  readonly partition: number;
  readonly from: bigint;
  readonly until: bigint;
}

/** What to do about a partition now: nothing, go to an offset, or leave it alone for good. */
export type Turn = { readonly kind: 'on' } | { readonly kind: 'seek'; readonly offset: bigint } | { readonly kind: 'done' };

/**
 * The way through some stretches of some partitions, each from its beginning to its end. It alone knows what was
 * passed, so that a client which begins a partition anew (after a rebalance, as it commits nothing) is neither
 * believed twice nor lost.
 */
export class Course {
  private readonly ahead = new Map<string, Span[]>();

  constructor(spans: readonly Span[]) {
    const sorted = spans.filter(({ from, until }) => from < until).toSorted((a, b) => (a.from < b.from ? -1 : 1));
    for (const span of sorted) {
      const key = keyOf(span.topic, span.partition);
      const last = this.ahead.get(key)?.at(-1);
      // Stretches that touch are one; of those that overlap nothing is read twice.
      if (last && span.from <= last.until) this.ahead.get(key)?.splice(-1, 1, { ...last, until: span.until > last.until ? span.until : last.until });
      else this.ahead.set(key, [...(this.ahead.get(key) ?? []), span]);
    }
  }

  get over(): boolean {
    return this.ahead.size === 0;
  }

  /** The topics with something ahead. */
  get topics(): string[] {
    return [...new Set([...this.ahead.values()].flatMap((spans) => spans.map(({ topic }) => topic)))];
  }

  wants(topic: string, partition: number, offset: bigint): boolean {
    return this.ahead.get(keyOf(topic, partition))?.some(({ from, until }) => offset >= from && offset < until) ?? false;
  }

  /** Where to begin, or to begin again. */
  turn(topic: string, partition: number): Turn {
    const [next] = this.ahead.get(keyOf(topic, partition)) ?? [];
    return next ? { kind: 'seek', offset: next.from } : { kind: 'done' };
  }

  /** Everything up to and with this offset was seen; says where to go from there. */
  pass(topic: string, partition: number, lastOffset: bigint): Turn {
    const key = keyOf(topic, partition);
    const before = this.ahead.get(key);
    if (!before) return { kind: 'done' };
    const next = lastOffset + 1n;
    const left = before.flatMap((span) => (span.until <= next ? [] : [{ ...span, from: span.from > next ? span.from : next }]));
    if (left.length > 0) this.ahead.set(key, left);
    else this.ahead.delete(key);
    const [first] = left;
    if (!first) return { kind: 'done' };
    return first.from === next ? { kind: 'on' } : { kind: 'seek', offset: first.from };
  }
}

function keyOf(topic: string, partition: number): string {
  return `${topic}/${partition}`;
}
