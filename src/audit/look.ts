import type { Client } from '@temporalio/client';
import type { Pool } from 'pg';
import type { AnyState, Placed } from '../../workflows/kernel/lifecycle';
import type { Config } from '../config';
import type { StoredFact } from '../facts/read';
import type { Logger } from '../log';
import { NOTIFICATIONS_GROUP } from '../notify/compose';
import { recentFormats } from '../schemas/wire';
import type { ObjectStore } from '../storage/s3';
import { judgeFacts } from './compare-facts';
import { compareRuns } from './compare-runs';
import { compareTopics } from './compare-topics';
import type { Found } from './kinds';
import type { Source } from './sources';
import { compareBooks } from './told-books';
import { compareLetters } from './told-letters';
import { compareObjects } from './told-objects';
import type { TopicTeller } from './told-records';
import type { RunTeller } from './told-runs';
import { compareViews } from './told-views';
import type { TopicClock } from './topic-clock';

export interface AuditDeps {
  readonly config: Config;
  readonly log: Logger;
  readonly db: Pool;
  readonly temporal: Client;
  readonly store: ObjectStore;
}

/** The tellers that are asked once for all aggregates. */
export interface Tellers {
  readonly topics: TopicTeller;
  readonly clock: TopicClock;
  /** By the name of the domain. */
  readonly runs: ReadonlyMap<string, RunTeller>;
}

/** Compares what all tellers say of some aggregates of one source, given their facts; by id, only where they disagree. */
export async function lookAt(
  { db, store }: AuditDeps, { topics, clock, runs }: Tellers, source: Source, byId: ReadonlyMap<string, readonly StoredFact[]>,
): Promise<Map<string, readonly Found[]>> {
  const all = new Map<string, Found[]>();
  const add = (id: string, found: readonly Found[]): void => {
    if (found.length > 0) all.set(id, [...(all.get(id) ?? []), ...found]);
  };
  const at = {
    formats: await recentFormats(db), keptSince: (topic: string) => clock.keptSince(topic), taken: (group: string, place: string) => clock.taken(group, place), dead: (place: string) => topics.dead(place), kept: (place: string) => topics.kept(place),
  };
  const states: { id: string; state: Placed<AnyState> }[] = [];
  for (const [id, facts] of byId) {
    const testimony = { source, id, facts, told: topics.of(source.name, id) };
    const { found, state } = judgeFacts(testimony);
    add(id, [...found, ...compareTopics(testimony, at)]);
    if (state) states.push({ id, state });
  }
  const { domain } = source;
  if (domain) {
    for (const [id, found] of await compareViews(db, domain, states)) add(id, [found]);
    const said = await runs.get(domain.name)?.withResults(states.map(({ id }) => id));
    for (const { id, state } of states) add(id, compareRuns(domain, id, state, said?.get(id) ?? { aboard: false }));
  }
  for (const [id, found] of await compareObjects(store, source, [...byId.values()].flat())) add(id, found);
  // What follows from the facts is held against them once they are in doubt themselves no more.
  const sure = new Map([...byId].filter(([id, facts]) => facts.length > 0 && !all.has(id)));
  const noticed = ({ id, version }: StoredFact): boolean =>
    topics.of(source.name, id)?.tellings.get(version)?.some(({ place }) => clock.taken(NOTIFICATIONS_GROUP, place) && !topics.dead(place)) ?? false;
  for (const [id, found] of [...await compareBooks(db, source, sure), ...await compareLetters(db, source, sure, noticed)]) add(id, found);
  return all;
}
