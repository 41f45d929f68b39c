import { Counter } from 'prom-client';
import { textOf } from '../errors';
import type { Logger } from '../log';
import { registry } from '../metrics';

/**
 * What cannot be counted where it happens is asked of the stores, by one who is not concerned: the lag of a consumer
 * that is dead, the backlog of a relay that does not run. The api does it, because it serves the page.
 */
export interface Look {
  /** A label: what is looked at. */
  readonly name: string;
  readonly everyMs: number;
  /** Asks, and sets its gauges. It has to end by itself. */
  look(): Promise<void>;
  /** Takes its gauges off the page: what is not known is not shown as it was. */
  forget(): void;
  close?(): Promise<void>;
}

const unanswered = new Counter({
  name: 'fazenda_observations_failed_total',
  help: 'Looks at a store that gave no answer; what they would have shown is not on the page meanwhile',
  labelNames: ['look'] as const,
  registers: [registry],
});

/** After a look that took long the next one waits this many times as long, so that a slow store is not asked all the time. */
const REST_FACTOR = 4;

/** A process that has just come up has better things to do, ms. */
const FIRST_AFTER_MS = 1_000;

/** Looks again and again, each for itself, until it is stopped. A look that fails is tried again in its turn. */
export function observe(looks: readonly Look[], log: Logger): { stop(): Promise<void>; settled(): Promise<unknown> } {
  const timers = new Map<string, NodeJS.Timeout>();
  const underWay = new Set<Promise<void>>();
  let stopped = false;

  async function round(one: Look): Promise<void> {
    const began = performance.now();
    try {
      await one.look();
    } catch (thrown) {
      one.forget();
      unanswered.inc({ look: one.name });
      log.debug({ cause: textOf(thrown), look: one.name }, 'a look at a store had no answer');
    }
    again(one, Math.max(one.everyMs, REST_FACTOR * (performance.now() - began)));
  }

  function again(one: Look, afterMs: number): void {
    if (stopped) return;
    const timer = setTimeout(() => {
      const going = round(one).finally(() => underWay.delete(going));
      underWay.add(going);
    }, afterMs);
    timers.set(one.name, timer.unref());
  }

  for (const one of looks) {
    unanswered.inc({ look: one.name }, 0);
    again(one, FIRST_AFTER_MS);
  }
  return {
    /** Once no look is under way any more; to be asked after the stop. */
    settled: () => Promise.all(underWay),
    async stop() {
      stopped = true;
      for (const timer of timers.values()) clearTimeout(timer);
      // Whatever a look waits for ends when it is closed, or with the process.
      await Promise.all(looks.map((one) => one.close?.()));
    },
  };
}
