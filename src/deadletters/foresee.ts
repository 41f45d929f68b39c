import { domains } from '../../workflows/domains';
import { FazendaError } from '../errors';
import type { Queryable } from '../facts/postgres';
import { lastVersions } from '../facts/read';
import { storiesOver } from '../ingress/admit';
import { sortRecord } from '../ingress/sort';
import type { Codec } from '../kafka/codec';
import { compose, NOTIFICATIONS_GROUP, noticesByTopic } from '../notify/compose';
import { arrivalOf, type Letter } from './letter';

/** What a record would become on its topic now. */
export interface Foreseen {
  /** One of ingress's fates; `noticed`, where people would be told of it; `unread`, where no group of ours reads its topic; `unknown`, while it cannot be read. */
  readonly fate: 'started' | 'duplicate' | 'signalled' | 'filtered' | 'dead_lettered' | 'noticed' | 'unread' | 'unknown';
  /** What it is about, where it is about something. */
  readonly domain?: string;
  readonly aggregateId?: string;
  /** The fact that it would be, or the mail. */
  readonly type?: string;
  /** Why it would die, or is unknown. */
  readonly error?: FazendaError;
}

/** What is read with. */
export interface ForeseeDeps {
  readonly db: Queryable;
  readonly codec: Codec;
}

/** The same for whoever looks at a letter: what stands in the way is said, not thrown. */
export async function foreseeIfPossible(deps: ForeseeDeps, letter: Letter): Promise<Foreseen> {
  try {
    return await foresee(deps, letter, letter.value);
  } catch (thrown) {
    if (thrown instanceof FazendaError && thrown.kind.retryable) return { fate: 'unknown', error: thrown };
    throw thrown;
  }
}

/**
 * Sorts a record by the very code of the group that it died of, and looks at what is stored. Writes nothing.
 * @throws FazendaError FZ_SCHEMA_REGISTRY_AWAY, FZ_POSTGRES_AWAY: then nobody knows
 */
export async function foresee({ db, codec }: ForeseeDeps, letter: Letter, value: Buffer | null): Promise<Foreseen> {
  const record = arrivalOf(letter, value);
  await codec.learn([record]);
  const entries = domains.flatMap((domain) => domain.doors.map((door) => ({ domain, door }))).filter(({ door }) => door.topic === letter.topic);
  const entry = entries.find(({ door }) => door.group === letter.group) ?? (letter.group === NOTIFICATIONS_GROUP ? undefined : entries[0]);
  if (!entry) {
    const notices = noticesByTopic().get(letter.topic);
    if (!notices) return { fate: 'unread' };
    const composed = compose(notices, record, codec);
    if (composed.kind === 'dead') return { fate: 'dead_lettered', error: composed.error };
    if (composed.kind === 'filtered') return { fate: 'filtered' };
    return { fate: 'noticed', domain: composed.letter.domain, aggregateId: composed.letter.aggregateId, type: composed.letter.event };
  }
  const { domain, door } = entry;
  const sorted = sortRecord(domain, door, record, codec);
  switch (sorted.kind) {
    case 'dead':
      return { fate: 'dead_lettered', error: sorted.error };
    case 'filtered':
      return { fate: 'filtered' };
    case 'mail': {
      const over = await storiesOver(db, domain, [sorted.id]);
      return { fate: over.has(sorted.id) ? 'filtered' : 'signalled', domain: domain.name, aggregateId: sorted.id, type: sorted.mail.type };
    }
    case 'start': {
      const versions = await lastVersions(db, domain.name, [sorted.id]);
      return { fate: versions.has(sorted.id) ? 'duplicate' : 'started', domain: domain.name, aggregateId: sorted.id, type: sorted.fact.type };
    }
  }
}
