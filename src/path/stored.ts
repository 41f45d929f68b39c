import type { Domain } from '../../workflows/kernel/definition';
import { FoldedStory } from '../facts/folded';
import type { Queryable } from '../facts/postgres';
import { factsFrom, type StoredFact } from '../facts/read';
import type { PathLine } from './line';

/** A fact whose row is older than its own time by more than this was stored again, ms: after a recovery, say. */
const TOLD_APART_MS = 1_000;

export interface KnownFact extends StoredFact {
  /** When its row was written; null of rows that are older than this is kept. */
  readonly storedAt: Date | null;
}

/** What PostgreSQL knows of a story. */
export interface Stored {
  readonly facts: readonly KnownFact[];
  /** What the API accepted, where it came by the API. */
  readonly submission: Submitted | undefined;
  readonly lines: readonly PathLine[];
}

export interface Submitted {
  readonly topic: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly acceptedAt: Date;
  readonly sentAt: Date | null;
}

/** Everything that is stored of one aggregate. `say`: a fact's data in one line. */
export async function storedPath(db: Queryable, domain: Domain, id: string, say: (data: object) => string): Promise<Stored> {
  const [facts, submission, mail, letters] = await Promise.all([
    knownFacts(db, domain, id), submittedOf(db, domain, id), mailLines(db, domain, id), letterLines(db, domain, id),
  ]);
  return { facts, submission, lines: [...acceptedLines(submission), ...mail, ...factLines(domain, facts, say), ...letters] };
}

async function knownFacts(db: Queryable, domain: Domain, id: string): Promise<KnownFact[]> {
  const facts = await factsFrom(db, domain.name, id);
  const { rows } = await db.query<{ version: number; stored_at: Date | null }>(
    'SELECT version, stored_at FROM facts WHERE aggregate_type = $1 AND aggregate_id = $2', [domain.name, id]);
  const storedAt = new Map(rows.map((row) => [row.version, row.stored_at]));
  return facts.map((fact) => ({ ...fact, storedAt: storedAt.get(fact.version) ?? null }));
}

async function submittedOf(db: Queryable, domain: Domain, id: string): Promise<Submitted | undefined> {
  const { rows } = await db.query<{ record: { topic: string; headers: Record<string, string> }; accepted_at: Date; sent_at: Date | null }>(
    'SELECT record, accepted_at, sent_at FROM submissions WHERE aggregate_type = $1 AND aggregate_id = $2', [domain.name, id]);
  const [row] = rows;
  return row && { topic: row.record.topic, headers: row.record.headers, acceptedAt: row.accepted_at, sentAt: row.sent_at };
}

function acceptedLines(submission: Submitted | undefined): PathLine[] {
  if (!submission) return [];
  const { acceptedAt, sentAt, topic } = submission;
  return [
    { at: acceptedAt.toISOString(), teller: 'api', event: 'accepted', text: 'accepted' },
    sentAt
      ? { at: sentAt.toISOString(), teller: 'api', event: 'acknowledged', text: `Kafka has acknowledged it on ${topic}` }
      : { at: null, teller: 'api', event: 'acknowledged', text: `Kafka has not acknowledged it on ${topic}: it counts as accepted when the same request comes again` },
  ];
}

function factLines(domain: Domain, facts: readonly KnownFact[], say: (data: object) => string): PathLine[] {
  const story = new FoldedStory(domain.name);
  story.add(facts);
  return facts.map(({ version, type, at, storedAt, data }, index): PathLine => {
    const stored = storedAt?.toISOString() ?? at;
    const apart = version > 1 && Math.abs(Date.parse(stored) - Date.parse(at)) > TOLD_APART_MS ? ` (its own time: ${at})` : '';
    const text = `${version} ${type} is stored, now ${story.steps[index]?.status ?? ''}${apart} · ${say(data)}`.replace(/ · $/, '');
    return { at: stored, teller: 'PostgreSQL', event: 'stored', version, text };
  });
}

async function mailLines(db: Queryable, domain: Domain, id: string): Promise<PathLine[]> {
  const { rows } = await db.query<{ type: string; received_at: Date }>(
    'SELECT type, received_at FROM mail WHERE aggregate_type = $1 AND aggregate_id = $2', [domain.name, id]);
  return rows.map((row) => ({ at: row.received_at.toISOString(), teller: 'PostgreSQL', event: 'mail', text: `mail for it: ${row.type}` }));
}

/** No address: whoever may read a story's way need not know whose mailbox it is. */
async function letterLines(db: Queryable, domain: Domain, id: string): Promise<PathLine[]> {
  const { rows } = await db.query<{ event: string; state: string; changed_at: Date; reason: string | null }>(
    'SELECT event, state, changed_at, reason FROM notifications WHERE aggregate_type = $1 AND aggregate_id = $2', [domain.name, id]);
  return rows.map(({ event, state, changed_at: at, reason }) => {
    const text = state === 'addressless' ? `no letter of ${event}: no address is known` : `letter of ${event}: ${state}${reason ? ` (${reason})` : ''}`;
    return { at: at.toISOString(), teller: 'notifier', event: 'letter', text };
  });
}
