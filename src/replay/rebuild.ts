import { setTimeout as sleep } from 'node:timers/promises';
import type { Pool, PoolClient } from 'pg';
import type { Domain } from '../../workflows/kernel/definition';
import { fold } from '../../workflows/kernel/lifecycle';
import type { Config } from '../config';
import { FazendaError } from '../errors';
import { withoutDeadlock } from '../facts/postgres';
import { inTransaction } from '../facts/transaction';
import type { Codec } from '../kafka/codec';
import type { Logger } from '../log';
import { mergeRows, putBack, removeUntold, type DueRow } from './merge-view';
import { extentsOf, readSpans, spanOf, type Extent, type Span } from './read-topics';
import { isStorable, makeStage, stagedStories, stageFacts, untoldRows, type StagedStory } from './staged-facts';
import { toldFactOf, topicsOf } from './told-fact';

export interface RebuildDeps {
  readonly config: Config;
  readonly log: Logger;
  readonly db: Pool;
  readonly codec: Codec;
}

/** How far a rebuild is: `done` of `total` records, or of stories where there is no total yet. */
export interface Progress {
  readonly doing: 'reading' | 'merging' | 'catching up' | 'removing';
  readonly done: number;
  readonly total: number | undefined;
}

/** What became of one domain's view. */
export interface Rebuilt {
  readonly domain: string;
  readonly table: string;
  readonly records: number;
  readonly stories: number;
  readonly added: number;
  readonly corrected: number;
  readonly removed: number;
  /** Rows of which the store knows more than the topics tell; they were left as they are. */
  readonly ahead: number;
  /** Stories that the topics do not tell whole, or not so that they can be kept; their rows were left as they are. */
  readonly untellable: readonly string[];
}

/** Facts of one statement, and stories of one merge. */
const FACTS_TOGETHER = 2_000;
const STORIES_TOGETHER = 500;
const STATEMENT_TIMEOUT_MS = 600_000;
/** The relay gets this long to publish what was stored before the rows were put right, ms. */
const RELAY_WITHIN_MS = 30_000;
const LOOK_EVERY_MS = 200;
/** Any number, and the domain's hash: whoever holds it rebuilds that domain, alone. */
const REBUILD_LOCK = 5_140_614;

/**
 * Makes a domain's view again from its topics, under those who read and write it: row by row it becomes what the
 * topics tell, so that no reader ever finds it empty, and what is told meanwhile stands. Touches no other table,
 * writes no record, starts nothing.
 * @throws FazendaError FZ_CONFLICT while somebody else rebuilds it; FZ_KAFKA_AWAY
 */
export async function rebuildView(deps: RebuildDeps, domain: Domain, onProgress: (progress: Progress) => void = () => undefined): Promise<Rebuilt> {
  const session = await deps.db.connect();
  try {
    await session.query(`SET statement_timeout = ${STATEMENT_TIMEOUT_MS}`);
    const { rows } = await session.query<{ mine: boolean }>('SELECT pg_try_advisory_lock($1, hashtext($2)) AS mine', [REBUILD_LOCK, domain.name]);
    if (!rows[0]?.mine) throw new FazendaError('FZ_CONFLICT', `${domain.view.table} is being rebuilt by somebody else`);
    return await new Rebuild(deps, session, domain, onProgress).run();
  } finally {
    // The lock and the temporary table end with the session.
    session.release(true);
  }
}

class Rebuild {
  private readonly untellable = new Set<string>();
  private readonly ahead = new Set<string>();
  private records = 0;
  private added = 0;
  private corrected = 0;
  private removed = 0;
  private untold = 0;

  constructor(
    private readonly deps: RebuildDeps,
    private readonly session: PoolClient,
    private readonly domain: Domain,
    private readonly onProgress: (progress: Progress) => void,
  ) {}

  async run(): Promise<Rebuilt> {
    await makeStage(this.session);
    const ends = await this.extents();
    await this.stage('reading', ends.map(spanOf));
    await this.session.query('ANALYZE staged_facts');
    await this.merge('merging');
    await this.catchUp(ends);
    await this.putBackAhead();
    await this.removeUntold();
    const { rows } = await this.session.query<{ n: number }>('SELECT count(DISTINCT aggregate_id)::int AS n FROM staged_facts');
    return {
      domain: this.domain.name, table: this.domain.view.table, records: this.records, stories: rows[0]?.n ?? 0,
      added: this.added, corrected: this.corrected, removed: this.removed, ahead: this.ahead.size + this.untold, untellable: [...this.untellable],
    };
  }

  private extents(): Promise<Extent[]> {
    return extentsOf(this.deps.config, this.deps.log, topicsOf([this.domain]));
  }

  /** Reads stretches of the topics and puts their facts in order. @returns the stories that they tell of. */
  private async stage(doing: Progress['doing'], spans: readonly Span[]): Promise<Set<string>> {
    const { config, log, codec } = this.deps;
    const total = spans.reduce((sum, { from, until }) => sum + Number(until - from), 0);
    const touched = new Set<string>();
    let [done, waiting] = [0, [] as NonNullable<ReturnType<typeof toldFactOf>>[]];
    const flush = async (): Promise<void> => {
      if (waiting.length > 0) await stageFacts(this.session, waiting);
      waiting = [];
    };
    for await (const records of readSpans(config, log, spans)) {
      await codec.learn(records);
      for (const record of records) {
        const told = toldFactOf(record, codec);
        if (told?.domain !== this.domain || !isStorable(told)) continue;
        touched.add(told.id);
        waiting.push(told);
        if (waiting.length >= FACTS_TOGETHER) await flush();
      }
      done += records.length;
      this.onProgress({ doing, done, total });
    }
    await flush();
    this.records += done;
    return touched;
  }

  private async merge(doing: Progress['doing'], ids?: readonly string[]): Promise<void> {
    let done = 0;
    for await (const stories of stagedStories(this.session, STORIES_TOGETHER, ids)) {
      const { added, corrected, ahead, refused } = await mergeRows(this.session, this.domain, this.dueOf(stories));
      this.added += added;
      this.corrected += corrected;
      for (const id of ahead) this.ahead.add(id);
      for (const id of refused) this.untellable.add(id);
      done += stories.length;
      this.onProgress({ doing, done, total: undefined });
    }
  }

  /** The rows that stories make; one that is not told whole makes none. */
  private dueOf(stories: readonly StagedStory[]): DueRow[] {
    const { lifecycle, view } = this.domain;
    return stories.flatMap(({ id, facts, receivedAt }) => {
      this.untellable.delete(id);
      try {
        const folded = fold(lifecycle, facts);
        const state = folded.version === 1 ? { ...folded, movedAt: receivedAt } : folded;
        return [{ id, version: state.version, row: view.row(id, state, lifecycle.phase(state)) }];
      } catch (thrown) {
        // A version is missing, or data has not the shape of its type: that story's own fault.
        this.deps.log.debug({ err: thrown, id }, 'a story cannot be folded');
        this.untellable.add(id);
        return [];
      }
    });
  }

  /**
   * What had been stored before the rows were put right, and was published after the topics were read: its row may
   * have been written over by none, but one that was missing has come back too old. What is stored from now on
   * writes its own row.
   */
  private async catchUp(read: readonly Extent[]): Promise<void> {
    await this.awaitRelay();
    const from = new Map(read.map((extent) => [`${extent.topic}/${extent.partition}`, extent.high]));
    const spans = (await this.extents()).map((extent) => ({ ...spanOf(extent), from: from.get(`${extent.topic}/${extent.partition}`) ?? extent.low }));
    const touched = await this.stage('catching up', spans);
    // Those that were ahead may be level by now.
    const again = [...new Set([...touched, ...this.ahead])];
    this.ahead.clear();
    if (again.length > 0) await this.merge('catching up', again);
  }

  private async awaitRelay(): Promise<void> {
    const { rows: [last] } = await this.session.query<{ seq: string | null }>('SELECT max(seq) AS seq FROM facts WHERE aggregate_type = $1 AND published_at IS NULL', [this.domain.name]);
    const deadline = Date.now() + RELAY_WITHIN_MS;
    while (last?.seq && Date.now() < deadline) {
      const { rows: [open] } = await this.session.query<{ n: number }>(
        'SELECT count(*)::int AS n FROM facts WHERE published_at IS NULL AND aggregate_type = $1 AND seq <= $2', [this.domain.name, last.seq]);
      if (!open?.n) return;
      await sleep(LOOK_EVERY_MS);
    }
  }

  private async putBackAhead(): Promise<void> {
    if (this.ahead.size === 0) return;
    for await (const stories of stagedStories(this.session, STORIES_TOGETHER, [...this.ahead])) {
      const due = this.dueOf(stories);
      const back = await withoutDeadlock(() => inTransaction(this.deps.db, (tx) => putBack(tx, this.domain, due)));
      this.corrected += back;
    }
    const still = [...this.ahead];
    this.ahead.clear();
    await this.merge('catching up', still);
  }

  private async removeUntold(): Promise<void> {
    for (let after = ''; ; ) {
      const ids = await untoldRows(this.session, this.domain, after, STORIES_TOGETHER);
      const last = ids.at(-1);
      if (last === undefined) return;
      const gone = await withoutDeadlock(() => inTransaction(this.deps.db, (tx) => removeUntold(tx, this.domain, ids)));
      this.removed += gone;
      // The store knows a fact of the others: they are on their way to the topics, or the topics have forgotten them.
      this.untold += ids.length - gone;
      after = last;
      this.onProgress({ doing: 'removing', done: this.removed, total: undefined });
    }
  }
}
