import { z, type ZodType } from 'zod';
import type { Measure } from '../../workflows/kernel/statistics';
import { windowStreams, type Stream } from './streams';

/**
 * What a record of a window says. Readers keep the one with the highest revision of each window; on a compacted topic
 * that is the last one.
 */

/** `ce_source` of what is said of windows. */
export const WINDOWS_SOURCE = '/fazenda/windows';

const instant = z.string().describe('ISO 8601 UTC');
const whole = z.int().min(0);

/** What every window says beside its figures. */
const frame = {
  stream: z.string().describe('the topic'),
  start: instant.describe('first instant of the window, ISO 8601 UTC; the key of the record'),
  end: instant.describe('first instant after it'),
  revision: z.int().min(1).describe('1, 2, 3 … with every change of what is said of this window'),
  closed: z.boolean().describe('true once its end is past by the allowed lateness; a fact that comes later still is counted, by one more revision'),
  events: whole.describe('facts whose time lies in the window; of a window it never goes down'),
  incomplete: whole.describe('ends of stories of which earlier facts are still to arrive: what is measured over a whole story leaves them out till then'),
};

/** One window as its record has it. */
export interface WindowValue {
  readonly stream: string;
  readonly start: string;
  readonly end: string;
  readonly revision: number;
  readonly closed: boolean;
  readonly events: number;
  readonly incomplete: number;
  /** The stream's own figures, by name. */
  readonly [figure: string]: unknown;
}

const envelope = z.looseObject(frame);

/** A record's value → the window; undefined where it is none of ours. */
export function readWindow(text: string): WindowValue | undefined {
  const parsed = envelope.safeParse(JSON.parse(text));
  return parsed.success ? parsed.data : undefined;
}

/** The contract of a stream. */
export function windowSchema({ type, domain, says, measures }: Stream): ZodType {
  const figures = Object.fromEntries(Object.entries(measures).map(([name, measure]) => [name, figureSchema(measure).describe(measure.says)]));
  return z.object({ ...frame, ...figures }).meta({ title: type }).describe(`What happened to ${domain} stories in a window of time (${says}).`);
}

function figureSchema(measure: Measure): ZodType {
  switch (measure.kind) {
    case 'count':
    case 'quantity':
      return whole;
    case 'change':
      return z.int();
    case 'tally':
      return z.record(z.string(), whole);
    case 'amount':
      return z.string();
    case 'duration':
      return z.object({ p50: whole, p95: whole, max: whole }).meta({ title: 'Durations' }).nullable();
    default:
      return measure satisfies never;
  }
}

/** The contracts of all streams, as the catalogue of events wants them. */
export function windowContracts(): { readonly stream: Stream; readonly schema: ZodType }[] {
  return windowStreams().map((stream) => ({ stream, schema: windowSchema(stream) }));
}
