import type { Client } from '@temporalio/client';
import type { Domain } from '../../workflows/kernel/definition';
import { FazendaError, textOf } from '../errors';
import { FoldedStory, type Step } from '../facts/folded';
import type { StoredFact } from '../facts/read';
import type { FindDeps } from '../replay/find';
import type { ObjectStore } from '../storage/s3';
import { parseTraceparent } from '../tracing/trace-context';
import { analysedLines } from './analysed';
import { inOrder, type Absent, type Path, type PathLine, type PathStep, type Teller } from './line';
import { objectLines } from './objects';
import { publishedAtLines, topicLines } from './on-topics';
import { pushLines, type Pushes } from './pushes';
import { runLines } from './runs';
import { storedPath, type Stored } from './stored';

export interface PathDeps extends FindDeps {
  readonly temporal: Client;
  readonly store: Pick<ObjectStore, 'inspect'>;
  /** Asks the gateways. */
  readonly pushes: (domain: Domain, id: string) => Promise<Pushes>;
  /** A fact's data in one line. */
  readonly say: (data: object) => string;
}

/** A teller that has said nothing by then is left out, ms: whoever asks for a way waits for all of it. */
const TELLS_WITHIN_MS = 12_000;

const NOTHING: Stored = { facts: [], submission: undefined, lines: [] };

/**
 * The way of one story, from whoever knows a part of it. Only reads. A teller that is away is named, and the others
 * tell what they know; where nobody knows the story there are no lines.
 */
export async function pathOf(deps: PathDeps, domain: Domain, id: string): Promise<Path> {
  const away: Absent[] = [];
  const heard = async <Said>(teller: Teller, ask: () => Promise<Said>, instead: Said): Promise<Said> => {
    try {
      return await inTime(ask());
    } catch (thrown) {
      away.push(absent(teller, thrown));
      return instead;
    }
  };
  const runs = heard('Temporal', () => runLines(deps.temporal, domain, id), []);
  const pushes = heard('gateway', async () => pushLines(await deps.pushes(domain, id)), []);
  const stored = await heard('PostgreSQL', () => storedPath(deps.db, domain, id, deps.say), NOTHING);
  const told = await Promise.all([
    runs, pushes,
    heard('Kafka', () => topicLines(deps, domain, id, stored), publishedAtLines(stored)),
    heard('S3', () => objectLines(deps.store, domain, stored), []),
    heard('analytics', () => analysedLines(deps.config, domain.name, id, stored), []),
  ]);
  return compose(domain, id, stored, [...stored.lines, ...told.flat()], away);
}

function compose(domain: Domain, id: string, { facts, submission }: Stored, lines: readonly PathLine[], away: readonly Absent[]): Path {
  const story = new FoldedStory(domain.name);
  story.add(facts);
  const [first] = facts;
  const arrived = lines.find(({ event, at }) => event === 'arrived' && at !== null)?.at;
  const acceptedAt = submission?.acceptedAt.toISOString() ?? arrived ?? first?.at ?? null;
  const traceparent = first?.traceparent ?? submission?.headers.traceparent;
  return {
    domain: domain.name, id,
    status: first ? story.status : null, version: story.version, done: story.done, steps: facts.flatMap((fact, at) => stepOf(fact, story.steps[at])),
    correlationId: first?.correlationId ?? submission?.headers.correlation_id ?? null,
    traceId: parseTraceparent(traceparent)?.traceId ?? null,
    acceptedAt,
    lines: inOrder(lines).map((line) => ({ ...line, sinceAcceptedMs: line.at === null || acceptedAt === null ? null : Date.parse(line.at) - Date.parse(acceptedAt) })),
    away,
  };
}

function stepOf({ ceId, correlationId, publishedAt, data }: StoredFact, step: Step | undefined): PathStep[] {
  return step ? [{ ...step, ceId, correlationId, published: publishedAt !== null, data }] : [];
}

function absent(teller: Teller, thrown: unknown): Absent {
  if (thrown instanceof FazendaError) return { teller, why: thrown.message, next: thrown.kind.next };
  return { teller, why: textOf(thrown), next: 'See npx fazenda doctor.' };
}

async function inTime<Said>(said: Promise<Said>): Promise<Said> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`it has said nothing for ${TELLS_WITHIN_MS / 1_000} s`)), TELLS_WITHIN_MS);
  });
  try {
    return await Promise.race([said, late]);
  } finally {
    clearTimeout(timer);
  }
}
