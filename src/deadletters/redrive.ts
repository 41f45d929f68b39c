import { setTimeout as sleep } from 'node:timers/promises';
import { FazendaError } from '../errors';
import type { Queryable } from '../facts/postgres';
import { placeOf } from '../ingress/sort';
import type { Producer } from '../kafka/port';
import { claim, known, letGo, markRedriven, type Begun, type Claim } from './claims';
import { digestOf, recordOfLetter, type Letter } from './letter';
import { recordOfNote } from './note';
import { findLetter, type Found } from './store';
import { foresee, type ForeseeDeps, type Foreseen } from './foresee';

export interface RedriveDeps extends ForeseeDeps {
  readonly producer: Producer;
}

export interface Wish {
  /** Who redrives it, and why. */
  readonly by: string;
  readonly why: string | null;
  /** The value to put back in the place of the one that died; undefined for the same. */
  readonly value?: Buffer;
}

/** Bytes before and after. */
export interface Change {
  readonly sha256: string;
  /** Null where the value is. */
  readonly bytes: number | null;
}

const LOOK_EVERY_MS = 50;
/** Longest wait for somebody else's redrive of the same letter, ms. */
const WAIT_MS = 9_000;

/**
 * Puts the record of a letter back on its topic, in its partition, with its key and headers; once, whoever asks and
 * how often. Ends when Kafka has both the record and the note of who did it and why.
 * @throws FazendaError FZ_NOT_FOUND; FZ_ALREADY_REDRIVEN; FZ_REDRIVE_UNFINISHED where it was begun with other bytes;
 *   FZ_KAFKA_AWAY, and then the same again sends the same again; the fault of the edited value, where it would die too
 */
export async function redrive(deps: RedriveDeps, id: string, wish: Wish): Promise<{ letter: Letter; redrivenTo: string; redrive: Begun; before: Change; after: Change }> {
  const { db, producer } = deps;
  const { letter } = await foundLetter(db, id);
  if (wish.value !== undefined) await mustLive(deps, letter, wish.value);
  if (!producer.connected) throw new FazendaError('FZ_KAFKA_AWAY', 'no broker answers');
  const held = await hold(db, letter, wish);
  const value = held.afterValue === undefined ? letter.value : held.afterValue;
  let redrivenTo: string;
  try {
    const { partition, offset } = await producer.place(recordOfLetter(letter, value));
    redrivenTo = placeOf({ topic: letter.topic, partition, offset });
    // Behind the record, not beside it: where there is a note there is a record.
    await producer.send([recordOfNote(letter.id, redrivenTo, held.redrive)]);
  } catch (thrown) {
    await letGo(db, held);
    throw thrown;
  }
  await markRedriven(db, held, redrivenTo);
  return { letter, redrivenTo, redrive: held.redrive, before: changeOf(letter.value), after: changeOf(value) };
}

/** What a redrive would come to, without one. */
export async function tryRedrive(deps: ForeseeDeps, id: string, value: Buffer | undefined): Promise<{ found: Found; foreseen: Foreseen; before: Change; after: Change }> {
  const found = await foundLetter(deps.db, id);
  const after = value === undefined ? found.letter.value : value;
  return { found, foreseen: await foresee(deps, found.letter, after), before: changeOf(found.letter.value), after: changeOf(after) };
}

/** @throws FazendaError FZ_NOT_FOUND */
export async function foundLetter(db: Queryable, id: string): Promise<Found> {
  const found = await findLetter(db, id);
  if (!found) throw new FazendaError('FZ_NOT_FOUND', `there is no dead letter ${id}`);
  return found;
}

/** Whoever edits a record means it to be taken. What would die again, for whatever cause, is refused before anything is written. */
async function mustLive(deps: ForeseeDeps, letter: Letter, value: Buffer): Promise<void> {
  const { error } = await foresee(deps, letter, value);
  if (error) throw error;
}

async function hold(db: Queryable, letter: Letter, { by, why, value }: Wish): Promise<Claim> {
  const before = digestOf(letter.value);
  const after = value === undefined ? before : digestOf(value);
  const proposed = { by, why, at: new Date().toISOString(), edited: after !== before, before, after };
  const deadline = Date.now() + WAIT_MS;
  for (;;) {
    const claimed = await claim(db, letter.id, proposed, value);
    if (claimed) return claimed;
    const there = await known(db, letter.id, before);
    if (there?.sent) throw new FazendaError('FZ_ALREADY_REDRIVEN', `${letter.id} was redriven at ${there.at} by ${there.by}`);
    if (there && proposed.edited && there.after !== after) {
      throw new FazendaError('FZ_REDRIVE_UNFINISHED', `a redrive of ${letter.id} with other bytes was begun at ${there.at} by ${there.by}, and may have arrived`);
    }
    if (Date.now() >= deadline) throw new FazendaError('FZ_KAFKA_AWAY', 'another redrive of this letter is being sent and has no answer yet', { retryAfterS: HELD_RETRY_AFTER_S });
    await sleep(LOOK_EVERY_MS);
  }
}

const HELD_RETRY_AFTER_S = 15;

function changeOf(value: Buffer | null): Change {
  return { sha256: digestOf(value), bytes: value?.length ?? null };
}
