import { z } from 'zod';
import type { IncomingRecord, OutgoingRecord } from '../kafka/port';
import { REDRIVES_TOPIC } from '../kafka/topics';
import { textFault } from '../text';
import type { Begun } from './claims';

/** A redrive as its topic tells it: written once the record is on its own topic, and never before. */
const note = z.object({
  letterId: z.string().min(1),
  /** `topic/partition/offset` of the record that was put back. */
  redrivenTo: z.string().min(1),
  by: z.string().min(1),
  why: z.string().nullable(),
  at: z.iso.datetime({ offset: true }),
  edited: z.boolean(),
  before: z.string().min(1),
  after: z.string().min(1),
});
export type Note = z.infer<typeof note>;

export function recordOfNote(letterId: string, redrivenTo: string, { by, why, at, edited, before, after }: Begun): OutgoingRecord {
  const said: Note = { letterId, redrivenTo, by, why, at, edited, before, after };
  return { topic: REDRIVES_TOPIC, key: letterId, value: Buffer.from(JSON.stringify(said)), headers: { 'content-type': 'application/json' } };
}

/** Undefined for what is no note: nobody is hindered by what somebody else may have written there. */
export function noteOf({ value }: Pick<IncomingRecord, 'value'>): Note | undefined {
  const parsed = note.safeParse(jsonOf(value));
  return parsed.success && !textFault(parsed.data) ? parsed.data : undefined;
}

function jsonOf(value: Buffer | null): unknown {
  try {
    return JSON.parse(value?.toString('utf8') ?? '') as unknown;
  } catch (thrown) {
    if (thrown instanceof SyntaxError) return undefined; // Somebody else's, and no note.
    throw thrown;
  }
}
