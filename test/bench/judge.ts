import { readTopics, type Seen } from '../setup/judge';
import type { Job } from './jobs';

/** What the topics say of a run; every piece of work is counted in exactly one of the first four. */
export interface Count {
  /** Each fact told, once or several times in the very same bytes, none before the one it follows. */
  readonly exact: number;
  readonly missing: number;
  /** Some fact was told in two ways: other bytes or another id under one version. */
  readonly double: number;
  readonly unordered: number;
  /** Records that say again, byte for byte, what was said: harmless, and promised only after a crash. */
  readonly repeated: number;
  /** From the append of the record that asked to the append of the last fact, of exact ones, ms, ascending. */
  readonly latenciesMs: readonly number[];
  /** From the first append of a record that asks to the last append of a last fact, ms. */
  readonly spanMs: number;
}

/** Reads every topic of the job back and counts, knowing nothing of who did the work. */
export async function count(brokers: string, prefix: string, job: Job, ids: readonly string[]): Promise<Count> {
  const topics = [...new Set([job.door, ...job.facts])];
  const seen = await readTopics(brokers, topics.map((topic) => `${prefix}${topic}`));
  return countSeen(seen.map((one) => ({ ...one, topic: one.topic.slice(prefix.length) })), job, ids);
}

/** @param seen records of one partition in their order */
export function countSeen(seen: readonly Seen[], job: Job, ids: readonly string[]): Count {
  const asked = new Map<string, number>();
  const told = new Map<string, Seen[]>(ids.map((id) => [id, []]));
  for (const one of seen) {
    if (one.topic === job.door && !asked.has(one.id)) asked.set(one.id, one.appendedAt);
    if (job.facts.includes(one.topic)) told.get(one.id)?.push(one);
  }
  const tally = { exact: 0, missing: 0, double: 0, unordered: 0, repeated: 0 };
  const latenciesMs: number[] = [];
  const mine = ids.map((id) => asked.get(id) ?? Infinity);
  let lastAt = 0;
  for (const [id, facts] of told) {
    const { verdict, repeated, endedAt } = judge(facts, job.facts);
    tally[verdict] += 1;
    tally.repeated += repeated;
    lastAt = Math.max(lastAt, endedAt);
    if (verdict === 'exact') latenciesMs.push(endedAt - (asked.get(id) ?? endedAt));
  }
  const firstAt = mine.reduce((least, at) => Math.min(least, at), Infinity);
  return { ...tally, latenciesMs: latenciesMs.sort((a, b) => a - b), spanMs: Math.max(0, lastAt - firstAt) };
}

interface Judged {
  readonly verdict: 'exact' | 'missing' | 'double' | 'unordered';
  readonly repeated: number;
  readonly endedAt: number;
}

function judge(facts: readonly Seen[], expected: readonly string[]): Judged {
  const first = new Map<number, { fact: Seen; place: number }>();
  let repeated = 0;
  let twoTellings = false;
  facts.forEach((fact, place) => {
    const known = first.get(fact.version);
    if (!known) first.set(fact.version, { fact, place });
    else if (known.fact.value === fact.value && known.fact.ceId === fact.ceId) repeated += 1;
    else twoTellings = true;
  });
  const story = expected.map((_, index) => first.get(index + 1));
  const endedAt = story.at(-1)?.fact.appendedAt ?? 0;
  const missing = story.some((one, index) => one?.fact.topic !== expected[index]);
  const extra = first.size > expected.length;
  const unordered = story.some((one, index) => {
    const before = story[index - 1];
    if (!one || !before) return false;
    // Two topics are compared by the broker's clock, which counts in ms; within one topic, places decide.
    return before.fact.appendedAt > one.fact.appendedAt || (before.fact.topic === one.fact.topic && before.place > one.place);
  });
  const verdict = missing ? 'missing' : twoTellings || extra ? 'double' : unordered ? 'unordered' : 'exact';
  return { verdict, repeated, endedAt };
}

/** The value below which this share of an ascending list lies; NaN of nothing. */
export function quantile(ascending: readonly number[], share: number): number {
  return ascending[Math.min(ascending.length - 1, Math.floor(ascending.length * share))] ?? Number.NaN;
}
