/** Those who tell of an aggregate; each could be wrong, and none is believed alone. */
export type Teller = 'facts' | 'topics' | 'views' | 'temporal' | 's3' | 'books' | 'letters';

/**
 * What `--repair` can do about a difference. `publish`: put the fact on its topic, same id, same bytes. `restore`:
 * store again what the topics know. `view`: make the row anew from the facts. `start`: start the story from its
 * facts. `object`: copy the bytes from another object with the same hash.
 */
export type Repair = 'publish' | 'restore' | 'view' | 'start' | 'object';

interface Kind {
  /** Who disagrees, the one that is lacking or wrong first. */
  readonly tellers: readonly Teller[];
  /** One sentence: what it means. */
  readonly means: string;
  /** One sentence: what to do. */
  readonly next: string;
  /** None where two tellers contradict each other: which of them is right is for a person to say. */
  readonly repair?: Repair;
}

const REPAIR = 'Run npx fazenda audit --repair.';

/** Every kind of difference. Their names are what programs read; the wording is free to improve. */
export const KINDS = {
  'fact-gap': { tellers: ['facts', 'topics'], means: 'A version between two stored facts is not stored.', next: 'audit --repair stores it again where its topic has it; else restore a backup of PostgreSQL.', repair: 'restore' },
  'fact-lost': { tellers: ['facts', 'topics'], means: 'Its topic tells a version that is not stored.', next: `${REPAIR} Where very many are lost: npx fazenda recover postgres.`, repair: 'restore' },
  'fact-id-wrong': { tellers: ['facts'], means: 'The stored ce_id is not that of its aggregate and version.', next: 'Somebody wrote to the table by hand: set ce_id right by hand, or restore a backup.' },
  'fact-misplaced': { tellers: ['facts'], means: 'Its type is none of its aggregate, or its topic is not that of its type.', next: 'Somebody wrote to the table by hand: correct type and topic by hand, or restore a backup.' },
  'fact-unfoldable': { tellers: ['facts'], means: 'The facts cannot be folded into a state.', next: 'Look at the data of the named fact; code older than its facts says this too.' },
  'fact-after-end': { tellers: ['facts'], means: 'A fact was told after the story was over.', next: 'Find who wrote it; the story cannot have done so.' },
  'fact-backwards': { tellers: ['facts'], means: 'A fact is older than the one that it follows.', next: 'Somebody wrote to the table by hand: correct its time, or restore a backup.' },
  'fact-unlinked': { tellers: ['facts'], means: 'A fact has another correlation id than the one that it follows.', next: 'Somebody wrote to the table by hand: correct it, or restore a backup.' },
  unpublished: { tellers: ['topics', 'facts'], means: 'A stored fact is not on its topic yet, and nobody is putting it there.', next: `See that a relay runs, or: ${REPAIR}`, repair: 'publish' },
  'record-missing': { tellers: ['topics', 'facts'], means: 'A fact counts as published, and its topic does not have it.', next: `${REPAIR} Where very many are lost: npx fazenda recover kafka.`, repair: 'publish' },
  'record-differs': { tellers: ['topics', 'facts'], means: 'The topic tells a version otherwise than the stored fact.', next: 'Two tellers contradict each other: compare both (npx fazenda replay) and correct the wrong one by hand.' },
  'record-forged': { tellers: ['topics'], means: 'A record says that it is ours and cannot be.', next: 'Find its writer; records cannot be taken back, and readers that check ce_id take no notice of it.' },
  'origin-missing': { tellers: ['topics', 'facts'], means: 'The first fact came in by its own topic, which does not have it any more.', next: REPAIR, repair: 'publish' },
  'start-missing': { tellers: ['facts', 'topics'], means: 'A record that asks for a story was taken in, and the story has no facts.', next: REPAIR, repair: 'restore' },
  'view-missing': { tellers: ['views', 'facts'], means: 'An aggregate has facts and no row for readers.', next: REPAIR, repair: 'view' },
  'view-differs': { tellers: ['views', 'facts'], means: 'The row for readers says otherwise than the facts.', next: REPAIR, repair: 'view' },
  'view-orphan': { tellers: ['views', 'facts'], means: 'Readers are shown an aggregate of which there is no fact.', next: REPAIR, repair: 'view' },
  'run-missing': { tellers: ['temporal', 'facts'], means: 'A story is not over, and no workflow carries it.', next: `The sweeper starts it within a minute or two, or: ${REPAIR}`, repair: 'start' },
  'run-lingers': { tellers: ['temporal', 'facts'], means: 'A story is over, and its workflow is still open with nobody at work on it.', next: 'See in the Temporal Web UI what it waits for, and that a worker runs; to terminate it is safe.' },
  'run-disagrees': { tellers: ['temporal', 'facts'], means: 'The workflow ended otherwise than the facts tell.', next: 'Facts may have been lost: restore them first, then audit again.' },
  'run-orphan': { tellers: ['facts', 'temporal'], means: 'A workflow carries a story of which there is no fact.', next: 'Facts may have been lost: npx fazenda recover postgres; if the story never began, terminate the workflow.' },
  'object-missing': { tellers: ['s3', 'facts'], means: 'A fact names an object that is not there.', next: 'audit --repair copies it from another object of the same hash; else restore a backup of the bucket.', repair: 'object' },
  'object-differs': { tellers: ['s3', 'facts'], means: 'An object is not what the fact says that was stored.', next: 'Somebody wrote over it: restore it from a backup of the bucket.' },
  'book-missing': { tellers: ['books', 'facts'], means: 'The facts tell of an effect on our own tables that these do not show.', next: 'Somebody deleted the row: look whether the pieces were put back too, and enter it by hand, or restore a backup.' },
  'book-differs': { tellers: ['books', 'facts'], means: 'Our own tables show an effect otherwise than the facts tell it, or one of which they tell nothing.', next: 'Somebody wrote to the table by hand: correct it, or restore a backup.' },
  'sum-wrong': { tellers: ['books'], means: 'What was there is not what is left of it and what went.', next: 'Somebody wrote to the table by hand: count what is there, and correct the row.' },
  'letter-missing': { tellers: ['letters', 'facts'], means: 'A fact that people are told of was taken in, and there is no letter about it.', next: 'Somebody deleted the row: look in the mail server whether it went out, and write to them where it did not.' },
  'letter-differs': { tellers: ['letters', 'facts'], means: 'The letter under the id of a fact is about another one.', next: 'Somebody wrote to the table by hand: correct it, or restore a backup.' },
  'letter-orphan': { tellers: ['letters', 'facts'], means: 'There is a letter about a fact that is not stored.', next: 'If it was sent, somebody was told what never was: find who entered it.' },
} as const satisfies Record<string, Kind>;

export type DifferenceKind = keyof typeof KINDS;

export function kindOf(name: DifferenceKind): Kind {
  return KINDS[name];
}

/** What two or more tellers disagree on, of one aggregate. */
export interface Difference {
  readonly kind: DifferenceKind;
  /** `aggregate_type`. */
  readonly aggregate: string;
  readonly id: string;
  /** The version that it is about; without one it is about the aggregate as a whole. */
  readonly version?: number;
  /** The case at hand. */
  readonly said: string;
}

/** A difference before it is said whose it is. */
export type Found = Pick<Difference, 'kind' | 'version' | 'said'>;
