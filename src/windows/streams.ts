import { domains } from '../../workflows/domains';
import type { Domain } from '../../workflows/kernel/definition';
import type { Statistics } from '../../workflows/kernel/statistics';

/** Every window begins at a whole minute of UTC and is some minutes long. */
export const MINUTE_MS = 60_000;

/** How long the windows of a stream are; one begins every minute, so those longer than that overlap. */
interface WindowKind {
  /** Last part of the topic's name. */
  readonly name: string;
  readonly minutes: number;
  readonly says: string;
}

const KINDS: readonly WindowKind[] = [
  { name: '1m', minutes: 1, says: 'tumbling: each minute' },
  { name: '5m', minutes: 5, says: 'sliding: 5 minutes, one from every minute on' },
];

/** The windows of one length over one domain's facts. */
export interface Stream {
  /** Name of the stream and of its topic, as the contracts say it: `orders.stats.1m`. */
  readonly topic: string;
  /** Its `ce_type`, and its name among the schemas. */
  readonly type: string;
  /** The domain whose facts it counts. */
  readonly domain: string;
  readonly namespace: string;
  readonly sizeMs: number;
  readonly says: string;
  readonly measures: Statistics['measures'];
  /** The facts that end a story. */
  readonly endings: readonly string[];
}

/** Every stream there is; asked anew each time, as a benchmark may add a domain. */
export function windowStreams(): Stream[] {
  return domains.flatMap(({ name: domain, statistics, cli, contracts: { namespace } }: Domain) =>
    statistics === undefined ? [] : KINDS.map(({ name, minutes, says }): Stream => ({
      topic: `${statistics.stream}.stats.${name}`,
      type: `${capitalised(statistics.stream)}Stats${name}`,
      domain, namespace, says,
      sizeMs: minutes * MINUTE_MS,
      measures: statistics.measures,
      endings: Object.keys(cli.endings),
    })));
}

function capitalised(word: string): string {
  return word.charAt(0).toUpperCase() + word.slice(1);
}
