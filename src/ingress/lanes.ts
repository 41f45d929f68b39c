import type { Client } from '@temporalio/client';
import type { Domain } from '../../workflows/kernel/definition';
import type { Config } from '../config';
import { textOf } from '../errors';
import { laneWorkflowId, workflowId } from '../facts/identity';
import type { Logger } from '../log';
import { lanesOpen, lanesStarted } from '../metrics';
import { ABOARD_MAX } from '../temporal/attributes';
import type { Endings } from '../temporal/endings';
import { startLane, startOwnWorkflow, type Beginning } from '../temporal/start';

/**
 * How long an open workflow takes up its place, ms, at most. One that takes longer waits or retries, or is over without
 * being heard here (it failed, it went to another process): it is not what makes the next lane wait.
 */
const LANE_HOLD_MS = 10_000;
const ALONE_HOLD_MS = 1_000;

/**
 * A lane that is full already gains nothing by waiting, so that of full ones so many times LANES_OPEN_MAX may be
 * open. Under a burst that was worth a third: 794 stories a second with 4 open, 973 with 8, 1,084 with 16.
 */
const FULL_LANES_FACTOR = 4;

/**
 * The next one that is not full starts when the newest lane has ended, or after this, ms. So one lane at a time takes what
 * came meanwhile, and a slow one holds up nobody for long; stories that ride alone, with little load, hold up nobody at all. Four side by side were smaller and dearer, and made
 * 400 stories a second, p99, 735 ms late and not 333.
 */
const LANE_LEAD_MS = 250;

/** Brings stories on their way: resolves once each of them is in a workflow that Temporal has. */
export type StartStories = (domain: Domain, stories: readonly Beginning[]) => Promise<void>;

export interface LaneDeps {
  readonly config: Config;
  readonly temporal: Client;
  readonly log: Logger;
  /** Workflows that end in this process; without it Temporal is asked for the end of each. */
  readonly endings?: Endings;
}

interface Passenger {
  readonly story: Beginning;
  readonly boarded: { resolve(): void; reject(reason: unknown): void }[];
}

/**
 * The lanes of one domain, filled by back-pressure as a group commit is: a few are open at a time, and what
 * waits meanwhile rides in the next one, or in one at once that it fills. With little load a story rides alone, and is the workflow named after
 * its aggregate; under a burst lanes fill up. Without the bound on open ones, twelve partitions made lanes of
 * one or two, and the rate fell tenfold.
 */
class Lanes {
  private readonly waiting = new Map<string, Passenger>();
  private open = 0;
  private newest: readonly Passenger[] | undefined;

  constructor(
    private readonly deps: LaneDeps,
    private readonly domain: Domain,
  ) {}

  async board(stories: readonly Beginning[]): Promise<void> {
    const boarding = stories.map(
      (story) =>
        new Promise<void>((resolve, reject) => {
          const known = this.waiting.get(story.id);
          if (known) known.boarded.push({ resolve, reject });
          else this.waiting.set(story.id, { story, boarded: [{ resolve, reject }] });
        }),
    );
    this.fill();
    // All of them, so that nobody of this call is still on his way when it is tried again.
    const failed = (await Promise.allSettled(boarding)).find((one) => one.status === 'rejected');
    if (failed) throw failed.reason;
  }

  private fill(): void {
    while (this.waiting.size > 0 && this.mayOpen()) {
      const aboard = this.takeNext();
      this.open += 1;
      if (aboard.length > 1) this.newest = aboard;
      lanesOpen.inc({ domain: this.domain.name });
      const lead = setTimeout(() => this.letNext(aboard), LANE_LEAD_MS).unref();
      void this.run(aboard).finally(() => {
        clearTimeout(lead);
        this.open -= 1;
        lanesOpen.dec({ domain: this.domain.name });
        this.letNext(aboard);
        this.fill();
      });
    }
  }

  private mayOpen(): boolean {
    const { config } = this.deps;
    if (this.waiting.size >= laneSizeOf(config, this.domain)) return this.open < config.LANES_OPEN_MAX * FULL_LANES_FACTOR;
    return this.newest === undefined && this.open < config.LANES_OPEN_MAX;
  }

  private letNext(after: readonly Passenger[]): void {
    if (this.newest !== after) return;
    this.newest = undefined;
    this.fill();
  }

  private takeNext(): Passenger[] {
    const aboard: Passenger[] = [];
    for (const passenger of this.waiting.values()) {
      if (aboard.length === laneSizeOf(this.deps.config, this.domain)) break;
      aboard.push(passenger);
    }
    for (const { story } of aboard) this.waiting.delete(story.id);
    return aboard;
  }

  private async run(aboard: readonly Passenger[]): Promise<void> {
    const { config, temporal, log, endings } = this.deps;
    const [first, ...others] = aboard;
    if (!first) return;
    const alone = others.length === 0;
    const here = endings?.of(alone ? workflowId(this.domain.name, first.story.id) : laneWorkflowId(this.domain.name, aboard.map(({ story }) => story.id)));
    try {
      const handle = alone
        ? await startOwnWorkflow(temporal, config, this.domain, first.story)
        : await startLane(temporal, config, this.domain, aboard.map(({ story }) => story));
      lanesStarted.observe({ domain: this.domain.name }, aboard.length);
      for (const { boarded } of aboard) for (const { resolve } of boarded) resolve();
      await endOf(here && handle.eagerlyStarted ? here.over : handle.result(), alone ? ALONE_HOLD_MS : LANE_HOLD_MS);
    } catch (thrown) {
      // Before they were aboard it is theirs to know. After, it is a lane's bad end, and its stories are swept up.
      for (const { boarded } of aboard) for (const { reject } of boarded) reject(thrown);
      log.debug({ cause: textOf(thrown), domain: this.domain.name, stories: aboard.length }, 'a lane ended badly');
    } finally {
      here?.forget();
    }
  }
}

/** Stories of a domain that may share a workflow in this installation. */
function laneSizeOf(config: Config, { laneSizeMax, lane }: Domain): number {
  return lane === undefined ? 1 : Math.min(laneSizeMax, config.LANE_SIZE_MAX, ABOARD_MAX);
}

async function endOf(ended: Promise<unknown>, limitMs: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((resolve) => (timer = setTimeout(resolve, limitMs).unref()));
  // What comes of it after the limit is nobody's any more; without this it would count as unhandled.
  ended.catch(() => undefined);
  try {
    await Promise.race([ended, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Stories by their domain's way: in lanes where it has them, else each in a workflow of its own, `atOnce` under way. */
export function openLanes(deps: LaneDeps, alone: StartStories): StartStories {
  const lanes = new Map<string, Lanes>();
  return async (domain, stories) => {
    if (laneSizeOf(deps.config, domain) === 1) return alone(domain, stories);
    const those = lanes.get(domain.name) ?? new Lanes(deps, domain);
    lanes.set(domain.name, those);
    await those.board(stories);
  };
}
