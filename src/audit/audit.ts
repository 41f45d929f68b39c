import { setTimeout as sleep } from 'node:timers/promises';
import { domains } from '../../workflows/domains';
import type { Config } from '../config';
import { openCodec } from '../kafka/codec';
import type { Logger } from '../log';
import { extentsOf } from '../replay/read-topics';
import type { Difference, Found } from './kinds';
import { lookAt, type AuditDeps, type Tellers } from './look';
import { reckonUp } from './sums';
import { isInSlice, slicesOf, type Slice } from './slices';
import { SOURCES, type Source } from './sources';
import { countFacts, factsById, idsOfFacts, pagesOfFacts, type Range } from './told-facts';
import { keyOf, TopicTeller } from './told-records';
import { RunTeller } from './told-runs';
import { viewOrphans } from './told-views';
import { TopicClock } from './topic-clock';

export interface AuditOptions {
  readonly range?: Range;
  /** A difference is named only after it has stood still for this long, ms: what is under way is none. */
  readonly settleMs?: number;
  /** As long as others come right, it is looked again; at most for this long, ms. */
  readonly patienceMs?: number;
  readonly onProgress?: (text: string) => void;
}

/** What was looked at, and what was found. */
export interface Ledger {
  /** Aggregates that have facts, by `aggregate_type`. */
  readonly aggregates: Readonly<Record<string, number>>;
  readonly facts: number;
  readonly records: number;
  /** Aggregates that were not in order at first sight and came right by themselves. */
  readonly cameRight: number;
  /** Aggregates that were still moving when the patience was over; they are no differences, and not cleared either. */
  readonly moving: number;
  readonly differences: readonly Difference[];
}

const SETTLE_MS = 10_000;
const PATIENCE_MS = 120_000;

interface Suspect {
  readonly source: Source;
  readonly id: string;
  found: readonly Found[];
  /** Since when it has been the same, ms. */
  since: number;
}

/**
 * Compares what all tellers say of all aggregates, or of a range. It may be run while everything works: whatever
 * does not fit at first sight is looked at again until it fits, or has stood still.
 * @throws FazendaError FZ_…_AWAY where a teller cannot be asked: then nothing is said of any aggregate.
 */
export async function audit(deps: AuditDeps, options: AuditOptions = {}): Promise<Ledger> {
  const slices = slicesOf(Math.max(await countFacts(deps.db), await countRecords(deps.config, deps.log)));
  const total = { aggregates: {} as Record<string, number>, facts: 0, records: 0, cameRight: 0, moving: 0, differences: [] as Difference[] };
  for (const slice of slices) {
    options.onProgress?.(slices.length === 1 ? 'reading' : `reading slice ${slice.at + 1} of ${slice.of}`);
    await auditSlice(deps, options, slice, total);
  }
  total.differences.push(...await reckonUp(deps.db, options.range ?? {}));
  const order = ({ aggregate, id, version = 0, kind }: Difference): string => JSON.stringify([aggregate, id, String(version).padStart(9, '0'), kind]);
  return { ...total, differences: total.differences.toSorted((one, other) => (order(one) < order(other) ? -1 : 1)) };
}

type Total = { -readonly [Name in keyof Ledger]: Ledger[Name] } & { aggregates: Record<string, number>; differences: Difference[] };

async function auditSlice(deps: AuditDeps, options: AuditOptions, slice: Slice, total: Total): Promise<void> {
  const { config, log, db, temporal } = deps;
  const { range = {} } = options;
  const sources = SOURCES.filter(({ name }) => range.aggregates?.includes(name) ?? true);
  const inRange = await rangeOf(deps, sources, range, slice);
  const topics = new TopicTeller(config, log, openCodec(config, db), inRange, (forged) => total.differences.push(forged));
  const runs = new Map(domains.filter(({ name }) => sources.some((source) => source.name === name)).map((domain) => [domain.name, new RunTeller(temporal, domain)]));
  const tellers: Tellers = { topics, clock: new TopicClock(config, log), runs };

  const suspects = new Map<string, Suspect>();
  const suspect = (source: Source, id: string, found: readonly Found[]): void => void suspects.set(keyOf(source.name, id), { source, id, found, since: Date.now() });
  await Promise.all([topics.readOn(), tellers.clock.look(), ...[...runs.values()].map((one) => one.listAll())]);
  for (const source of sources) {
    const seen = new Set<string>();
    for await (const page of pagesOfFacts(db, source, range, slice)) {
      for (const [id, facts] of page) {
        seen.add(id);
        total.facts += facts.length;
      }
      for (const [id, found] of await lookAt(deps, tellers, source, page)) suspect(source, id, found);
    }
    total.aggregates[source.name] = (total.aggregates[source.name] ?? 0) + seen.size;
    const others = [...topics.aggregates()].flatMap(([name, id]) => (name === source.name ? [id] : []));
    others.push(...(await knownElsewhere(deps, tellers, source, range)).filter((id) => inRange(source.name, id)));
    for (const id of new Set(others)) if (!seen.has(id)) suspect(source, id, []);
  }
  total.records += topics.records;
  topics.keepOnly(new Set(suspects.keys()));
  await lookAgain(deps, options, tellers, suspects, total);
}

/** Aggregates that views or open workflows know of. */
async function knownElsewhere({ db }: AuditDeps, { runs }: Tellers, { name, domain }: Source, range: Range): Promise<string[]> {
  return domain ? [...(await viewOrphans(db, domain, range.ids)).keys(), ...(runs.get(name)?.open() ?? [])] : [];
}

/** Looks at the suspects until each has come right or stood still; the latter are named. */
async function lookAgain(deps: AuditDeps, options: AuditOptions, tellers: Tellers, suspects: Map<string, Suspect>, total: Total): Promise<void> {
  const { settleMs = SETTLE_MS, patienceMs = PATIENCE_MS, onProgress } = options;
  const until = Date.now() + patienceMs;
  let movedAt = Date.now();
  while (suspects.size > 0 && Date.now() < until && Date.now() - movedAt < settleMs) {
    onProgress?.(`looking again at ${suspects.size}`);
    await sleep(settleMs / 4);
    await tellers.topics.readOn();
    await tellers.clock.look();
    for (const source of SOURCES) {
      const ids = [...suspects.values()].flatMap((one) => (one.source === source ? [one.id] : []));
      if (ids.length === 0) continue;
      for (const [id, found] of await lookOnce(deps, tellers, source, ids)) {
        const key = keyOf(source.name, id);
        const known = suspects.get(key);
        if (!known || JSON.stringify(known.found) === JSON.stringify(found)) continue;
        movedAt = Date.now();
        suspects.set(key, { ...known, found, since: movedAt });
      }
    }
    for (const [key, { found }] of suspects) {
      if (found.length > 0) continue;
      suspects.delete(key);
      total.cameRight += 1;
    }
  }
  for (const { source, id, found, since } of suspects.values()) {
    if (Date.now() - since < settleMs) total.moving += 1;
    else total.differences.push(...found.map((one) => ({ ...one, aggregate: source.name, id })));
  }
}

const PAGE = 400;

/** What is found of each of these now; an empty list where all tellers agree. */
async function lookOnce(deps: AuditDeps, tellers: Tellers, source: Source, ids: readonly string[]): Promise<Map<string, readonly Found[]>> {
  const all = new Map<string, readonly Found[]>(ids.map((id) => [id, []]));
  const runs = tellers.runs.get(source.name);
  await runs?.lookAgain(ids);
  for (let start = 0; start < ids.length; start += PAGE) {
    const page = ids.slice(start, start + PAGE);
    const facts = await factsById(deps.db, source, page);
    for (const [id, found] of await lookAt(deps, tellers, source, facts)) all.set(id, found);
    const without = page.filter((id) => facts.get(id)?.length === 0);
    const orphans = source.domain ? await viewOrphans(deps.db, source.domain, without) : new Map<string, Found>();
    for (const id of without) {
      const run = runs?.of(id).own?.open ? [{ kind: 'run-orphan' as const, said: `${source.name}/${id} is open` }] : [];
      all.set(id, [...(all.get(id) ?? []), ...[orphans.get(id) ?? []].flat(), ...run]);
    }
  }
  return all;
}

type InRange = (aggregate: string, id: string, at?: string) => boolean;

/** In a range of time: who has a fact in it, or is told of by a record of that time. */
async function rangeOf({ db }: AuditDeps, sources: readonly Source[], range: Range, slice: Slice): Promise<InRange> {
  const { ids, since = '', until = '9999' } = range;
  const names = new Set(sources.map(({ name }) => name));
  const wanted = ids && new Set(ids);
  const always = range.since === undefined && range.until === undefined;
  const inTime = new Set<string>();
  if (!always) for (const source of sources) for (const id of await idsOfFacts(db, source, range, slice)) inTime.add(keyOf(source.name, id));
  return (aggregate, id, at) =>
    names.has(aggregate) && (wanted?.has(id) ?? true) && isInSlice(id, slice)
    && (always || inTime.has(keyOf(aggregate, id)) || (at !== undefined && at >= since && at < until));
}

/** Records on the topics of facts, whoever wrote them. @throws FazendaError FZ_KAFKA_AWAY */
export async function countRecords(config: Config, log: Logger): Promise<number> {
  const extents = await extentsOf(config, log, [...new Set(SOURCES.flatMap(({ topics }) => Object.values(topics)))]);
  return Number(extents.reduce((sum, { low, high }) => sum + high - low, 0n));
}
