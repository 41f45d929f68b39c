import { setTimeout as sleep } from 'node:timers/promises';
import type { Client } from '@temporalio/client';
import { domains } from '../../workflows/domains';
import type { Domain } from '../../workflows/kernel/definition';
import type { AnyState, Placed } from '../../workflows/kernel/lifecycle';
import type { Row } from '../api/rows';
import { FazendaError } from '../errors';
import { stepsBetween } from './bounds';
import { compare, type Difference } from './differences';
import { findStories, type FindDeps, type Sought } from './find';
import type { ReplayRequest } from './request';
import { runState } from './run-state';
import type { FoldedStep, TopicStory } from './topic-story';
import { compareView, viewRow } from './view-row';

export interface ReplayDeps extends FindDeps {
  readonly temporal: Client;
}

/** One fact as the topics tell it, where it lies, and what it made of the story. */
export interface ReplayedStep {
  readonly version: number;
  readonly event: string;
  /** The fact's own time. */
  readonly at: string;
  /** The status after it; null where the story cannot be folded that far. */
  readonly status: string | null;
  readonly place: { readonly topic: string; readonly partition: number; readonly offset: number };
  readonly ceId: string;
  readonly data: object;
  readonly state: Placed<AnyState> | null;
}

export interface Replay {
  readonly domain: string;
  readonly aggregateId: string;
  readonly steps: readonly ReplayedStep[];
  /** After the last step that is shown; null where nothing could be folded. */
  readonly state: Placed<AnyState> | null;
  /** The view's row as it is stored. */
  readonly view: Row | null;
  /** What the aggregate's own workflow answers; null where none does. */
  readonly temporal: Placed<AnyState> | null;
  /** Between all that the topics tell, bounds or not, and the others as they are now. */
  readonly differences: readonly Difference[];
}

/** What is told may be on its way from one teller to the next: before a difference is named, they are asked again, this often. */
const LOOKS_MAX = 5;
const LOOK_AGAIN_MS = 300;

/**
 * Tells a story again from the topics alone, and where the others tell it otherwise. Only reads.
 * @throws FazendaError FZ_NOT_FOUND; FZ_SCHEMA_INVALID where several domains know the id; FZ_KAFKA_AWAY; FZ_POSTGRES_AWAY
 */
export async function replay(deps: ReplayDeps, { aggregateId, domain: named, from, until }: ReplayRequest): Promise<Replay> {
  const sought = domains.filter(({ name }) => named === undefined || name === named).map((domain) => soughtIn(domain, aggregateId));
  const { story, row } = await agreed(deps, sought);
  const { domain, id } = story;
  const steps = story.steps();
  const shown = stepsBetween(steps, from, until);
  const answer = await runState(deps.temporal, domain, id);
  return {
    domain: domain.name,
    aggregateId: id,
    steps: shown.map(replayed),
    state: stepsBetween(steps, undefined, until).at(-1)?.state ?? null,
    view: row ?? null,
    temporal: answer ?? null,
    differences: [...ownDifferences(story), ...(await viewDifferences(deps, story, steps)), ...runDifferences(steps, answer)],
  };
}

function soughtIn(domain: Domain, given: string): Sought {
  return { domain, id: domain.http.live.spelling?.(given) ?? given };
}

/**
 * The story and its row, asked again while one of them is ahead: the relay may not have published the latest fact
 * yet, a door may not have taken in the first. Where they go on to disagree, or the index cannot be trusted,
 * everything is read before anything is said.
 */
async function agreed(deps: ReplayDeps, sought: readonly Sought[]): Promise<{ story: TopicStory; row: Row | undefined }> {
  for (let look = 1, everywhere = false; ; look += 1) {
    const { stories, trusted } = await findStories(deps, sought, everywhere ? 'everywhere' : 'near');
    const rows = await Promise.all(sought.map(({ domain, id }) => viewRow(deps.db, domain, id)));
    const known = stories.flatMap((story, at) => (story.version > 0 || rows[at] ? [{ story, row: rows[at] }] : []));
    const [only] = known;
    const whole = trusted && known.every(({ story }) => story.missing.length === 0);
    const ahead = known.some(({ story, row }) => story.version < Number(row?.version ?? 0));
    const behind = known.some(({ story, row }) => story.version > Number(row?.version ?? 0));
    if (everywhere || (whole && !ahead && (!behind || look >= LOOKS_MAX))) {
      if (!only) throw new FazendaError('FZ_NOT_FOUND', 'no topic tells anything of this aggregate');
      if (known.length === 1) return only;
      const names = known.map(({ story }) => story.domain.name).join(', ');
      throw new FazendaError('FZ_SCHEMA_INVALID', 'several domains know this id', { fields: [{ path: 'domain', message: `name one of ${names}` }] });
    }
    // A row that stays ahead of the topics may be wrong, or the index may lack what made it.
    everywhere = !whole || (ahead && look >= LOOKS_MAX);
    if (!everywhere) await sleep(LOOK_AGAIN_MS);
  }
}

function replayed({ told: { fact, place, ceId }, state }: FoldedStep): ReplayedStep {
  return {
    version: fact.version, event: fact.type, at: fact.at, status: state?.status ?? null,
    place: { topic: place.topic, partition: place.partition, offset: Number(place.offset) }, ceId, data: fact.data, state,
  };
}

/** Versions that the topics do not tell, and where they tell what no story can be. */
function ownDifferences(story: TopicStory): Difference[] {
  const missing = story.missing.map((version): Difference => ({ teller: 'topics', field: 'version', expected: version, found: null }));
  const stuck = story.steps().find(({ state }) => state === null);
  if (missing.length > 0 || !stuck) return missing;
  return [{ teller: 'topics', field: 'data', expected: `what a ${stuck.told.fact.type} says`, found: stuck.told.fact.data }];
}

async function viewDifferences({ db }: ReplayDeps, { domain, id }: TopicStory, steps: readonly FoldedStep[]): Promise<Difference[]> {
  const last = steps.findLast(({ state }) => state !== null)?.state;
  if (last) return compareView(db, domain, id, last);
  const row = await viewRow(db, domain, id);
  return row ? [{ teller: domain.view.table, field: 'version', expected: null, found: row.version }] : [];
}

/** A run is compared with the story as far as the run knows it. */
function runDifferences(steps: readonly FoldedStep[], answer: Placed<AnyState> | undefined): Difference[] {
  const last = steps.at(-1)?.told.fact.version ?? 0;
  if (!answer || answer.version === 0) return [];
  const then = steps.find(({ told }) => told.fact.version === answer.version)?.state;
  const level: Difference[] = answer.version === last ? [] : [{ teller: 'temporal', field: 'version', expected: last, found: answer.version }];
  return then ? [...level, ...compare('temporal', Object.keys(then), then, answer)] : level;
}
