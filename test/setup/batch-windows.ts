import type { Config } from '../../src/config';
import type { Queryable } from '../../src/facts/postgres';
import { openCodec } from '../../src/kafka/codec';
import { openLog } from '../../src/log';
import { readTopics } from '../../src/replay/read-topics';
import { toldFactOf, topicsOf } from '../../src/replay/told-fact';
import type { ContentFact } from '../../workflows/content/lifecycle';
import type { Fact } from '../../workflows/kernel/fact';
import { orderLifecycle, type OrderFact } from '../../workflows/order/lifecycle';

/**
 * The windows as a batch over the topics has them: read once, in memory, fact by fact, written down without the code under
 * test. What an order failed for is what its lifecycle folds.
 */

const MINUTE = 60_000;
const SIZES = { '1m': 1, '5m': 5 } as const;

type Figures = Record<string, unknown>;

/** `stream start` → what its record has to say, but for revision and closed. */
export async function batchWindows(config: Config, db: Queryable): Promise<Map<string, Figures>> {
  const stories = { content: new Map<string, Map<number, Fact>>(), order: new Map<string, Map<number, Fact>>() };
  const codec = openCodec(config, db);
  for await (const records of readTopics(config, openLog(config, 'batch'), topicsOf())) {
    await codec.learn(records);
    for (const record of records) {
      const told = toldFactOf(record, codec);
      if (!told) continue;
      const ofDomain = stories[told.domain.name as keyof typeof stories];
      const story = ofDomain.get(told.id) ?? new Map<number, Fact>();
      ofDomain.set(told.id, story);
      if (!story.has(told.fact.version)) story.set(told.fact.version, told.fact);
    }
  }
  const windows = new Map<string, Figures>();
  for (const [size, minutes] of Object.entries(SIZES)) {
    count(windows, `content.stats.${size}`, minutes, [...stories.content.values()], contentFigures);
    count(windows, `orders.stats.${size}`, minutes, [...stories.order.values()], orderFigures);
  }
  return windows;
}

/** A fact in a window, with its whole story in order where it ends one of which nothing lacks. */
interface Seen {
  readonly fact: Fact;
  readonly story: readonly Fact[] | undefined;
}

const ENDS = ['ContentStored', 'TaskFailed', 'TaskCancelled', 'OrderPaid', 'OrderFailed'];

function count(windows: Map<string, Figures>, stream: string, minutes: number, stories: readonly Map<number, Fact>[], figures: (seen: readonly Seen[]) => Figures): void {
  const byStart = new Map<number, Seen[]>();
  for (const story of stories) {
    for (const fact of story.values()) {
      const whole = ENDS.includes(fact.type) && story.size === fact.version ? [...story.values()].toSorted((a, b) => a.version - b.version) : undefined;
      const minute = Math.floor(Date.parse(fact.at) / MINUTE) * MINUTE;
      for (let back = 0; back < minutes; back += 1) byStart.set(minute - back * MINUTE, [...(byStart.get(minute - back * MINUTE) ?? []), { fact, story: whole }]);
    }
  }
  for (const [start, seen] of byStart) {
    const [from, end] = [new Date(start).toISOString(), new Date(start + minutes * MINUTE).toISOString()];
    const incomplete = seen.filter(({ fact, story }) => ENDS.includes(fact.type) && !story).length;
    windows.set(`${stream} ${from}`, { stream, start: from, end, events: seen.length, incomplete, ...figures(seen) });
  }
}

const of = (seen: readonly Seen[], ...types: string[]): number => seen.filter(({ fact }) => types.includes(fact.type)).length;

function tally(values: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const value of values) counts[value] = (counts[value] ?? 0) + 1;
  return counts;
}

function durations(seen: readonly Seen[], ...types: string[]) {
  const all = seen.flatMap(({ fact, story }) => (story && types.includes(fact.type) ? [Math.max(0, Date.parse(fact.at) - Date.parse(story[0]!.at))] : []));
  const sorted = all.toSorted((a, b) => a - b);
  const quantile = (share: number) => sorted[Math.floor(share * sorted.length)];
  return sorted.length === 0 ? null : { p50: quantile(0.5), p95: quantile(0.95), max: sorted.at(-1) };
}

function contentFigures(seen: readonly Seen[]): Figures {
  const facts = seen.map(({ fact }) => fact as ContentFact);
  return {
    accepted: of(seen, 'TaskCreated'), completed: of(seen, 'ContentStored'), failed: of(seen, 'TaskFailed'), cancelled: of(seen, 'TaskCancelled'),
    attempts: of(seen, 'TaskAssigned'),
    inFlightChange: of(seen, 'TaskCreated') - of(seen, 'ContentStored', 'TaskFailed', 'TaskCancelled'),
    failedBy: tally(facts.flatMap((fact) => (fact.type === 'TaskFailed' ? [fact.data.reason] : []))),
    completionMs: durations(seen, 'ContentStored'),
  };
}

function orderFigures(seen: readonly Seen[]): Figures {
  const ended = seen.flatMap(({ fact, story }) => (story ? [{ fact: fact as OrderFact, story: story as OrderFact[] }] : []));
  const reasonOf = (story: readonly OrderFact[]) => story.reduce(orderLifecycle.evolve, orderLifecycle.initial).reason ?? 'none';
  const cents = seen.reduce((sum, { fact }) => sum + (fact.type === 'OrderPaid' ? Math.round((fact as Extract<OrderFact, { type: 'OrderPaid' }>).data.total * 100) : 0), 0);
  return {
    created: of(seen, 'OrderCreated'), paid: of(seen, 'OrderPaid'), failed: of(seen, 'OrderFailed'),
    inFlightChange: of(seen, 'OrderCreated') - of(seen, 'OrderPaid', 'OrderFailed'),
    failedBy: tally(ended.flatMap(({ fact, story }) => (fact.type === 'OrderFailed' ? [reasonOf(story)] : []))),
    revenue: (cents / 100).toFixed(2),
    itemsSold: ended.reduce((sum, { fact, story }) => sum + (fact.type === 'OrderPaid' && story[0]?.type === 'OrderCreated' ? story[0].data.items.reduce((all, { quantity }) => all + quantity, 0) : 0), 0),
    endMs: durations(seen, 'OrderPaid', 'OrderFailed'),
  };
}
