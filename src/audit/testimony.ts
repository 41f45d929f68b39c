import { createHash } from 'node:crypto';
import { canonicalJson } from '../canonical';
import type { StoredFact } from '../facts/read';
import type { OutgoingRecord } from '../kafka/port';
import type { Source } from './sources';

/** What a record on a topic says of one version, reduced to what is compared. */
export interface Telling {
  readonly version: number;
  /** `topic/partition/offset` */
  readonly place: string;
  readonly type: string;
  /** Of every header that a fact fixes. */
  readonly headers: string;
  /** Of the data, whatever its encoding; two spellings of one document have the same. */
  readonly data: string;
  /** Of the value, byte for byte. */
  readonly bytes: string;
}

/** A record on a door's topic that asks for a story; where the door's topic is the fact's own, it is the first fact. */
export interface Asking {
  readonly place: string;
  readonly group: string;
  /** Of the data that fact 1 has if this record became it. */
  readonly data: string;
  readonly isFact: boolean;
}

/** What the topics say of one aggregate. */
export interface Told {
  /** Our own records, by version; more than one where it was published again. */
  readonly tellings: Map<number, Telling[]>;
  readonly askings: Asking[];
}

/** The latest workflow of an aggregate's own name, if Temporal still knows one, and whether a lane carries it now. */
export interface RunSaid {
  readonly own?: {
    readonly runId: string;
    readonly open: boolean;
    readonly status: string;
    /** A worker is at work on it this moment. Where it was only listed, nothing is known. */
    readonly inHand?: boolean;
  };
  /** What that workflow answered; only of one that has completed. */
  readonly result?: { readonly status: string; readonly version: number };
  readonly aboard: boolean;
}

/** Everything that is known of one aggregate, by teller. */
export interface Testimony {
  readonly source: Source;
  readonly id: string;
  readonly facts: readonly StoredFact[];
  readonly told: Told | undefined;
}

/** 16 bytes are enough to tell two texts apart that nobody made to collide. */
export function digestOf(content: string | Buffer): string {
  return createHash('sha256').update(content).digest('base64').slice(0, 22);
}

export function digestOfData(data: unknown): string {
  return digestOf(canonicalJson(data));
}

/** Names of the headers that are the same for a fact however often and however encoded it is published. */
const FIXED = /^(ce_|correlation_id$|causation_id$|traceparent$|fazenda_context$)/;

export function digestOfHeaders(headers: OutgoingRecord['headers']): string {
  const fixed = Object.entries(headers).filter(([name]) => FIXED.test(name)).map(([name, value]) => [name, String(value)]);
  return digestOf(JSON.stringify(fixed.sort(([one = ''], [other = '']) => (one < other ? -1 : 1))));
}
