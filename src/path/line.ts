import type { Step } from '../facts/folded';

/** Who says it: each knows its own part of a story's way, and none of them all of it. */
export type Teller = 'api' | 'Kafka' | 'PostgreSQL' | 'Temporal' | 'S3' | 'gateway' | 'notifier' | 'analytics';

/** One thing that happened to a story on its way. */
export interface PathLine {
  /** When, ISO 8601 UTC, by the clock of who says it; null where he does not know, or where it has not happened yet. */
  readonly at: string | null;
  readonly teller: Teller;
  /** What, as a word for programs. */
  readonly event:
    | 'accepted' | 'acknowledged' | 'arrived' | 'mail' | 'stored' | 'started' | 'attempt' | 'answered' | 'ended'
    | 'published' | 'unpublished' | 'object' | 'letter' | 'pushed' | 'following' | 'analysed';
  /** The same for people; one line. */
  readonly text: string;
  readonly version?: number;
  /** Where its record lies on Kafka. */
  readonly place?: { readonly topic: string; readonly partition: number; readonly offset: string };
}

/** Somebody who could not be asked, and what to do about it. The others have told what they know. */
export interface Absent {
  readonly teller: Teller;
  readonly why: string;
  readonly next: string;
}

/** One step of the story, with what its fact says. */
export interface PathStep extends Step {
  readonly ceId: string;
  readonly correlationId: string;
  readonly published: boolean;
  readonly data: object;
}

/** The whole way of one story, as far as anybody remembers it. */
export interface Path {
  readonly domain: string;
  readonly id: string;
  /** Null where the stored facts could not be read, or where none is stored yet. */
  readonly status: string | null;
  readonly version: number;
  readonly done: boolean;
  readonly steps: readonly PathStep[];
  readonly correlationId: string | null;
  readonly traceId: string | null;
  /** From when on milliseconds are counted: when the API took it, else when its first record was written. */
  readonly acceptedAt: string | null;
  /** In the order of their instants; what has none comes last. */
  readonly lines: readonly (PathLine & { readonly sinceAcceptedMs: number | null })[];
  readonly away: readonly Absent[];
}

/** What is said at the same instant stands in the order in which it follows from one another. */
const ORDER: readonly PathLine['event'][] = [
  'accepted', 'acknowledged', 'arrived', 'mail', 'started', 'attempt', 'answered', 'stored', 'published', 'unpublished', 'ended', 'pushed', 'letter', 'analysed', 'object', 'following',
];

export function inOrder(lines: readonly PathLine[]): PathLine[] {
  const instant = ({ at }: PathLine): number => (at === null ? Infinity : Date.parse(at));
  return lines.toSorted((a, b) => {
    const [first, second] = [instant(a), instant(b)];
    if (first !== second) return first < second ? -1 : 1;
    const byEvent = ORDER.indexOf(a.event) - ORDER.indexOf(b.event);
    const byVersion = (a.version ?? 0) - (b.version ?? 0);
    return first === Infinity ? byEvent || byVersion : byVersion || byEvent;
  });
}
