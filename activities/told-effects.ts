import type { Pool } from 'pg';
import type { Hint } from '../src/facts/hint';
import { isDataFault, withoutDeadlock, type Queryable } from '../src/facts/postgres';
import { insertFacts, keyOfTelling, urgencyOf, type Telling as Stored } from '../src/facts/tell';
import { inTransaction } from '../src/facts/transaction';
import type { Domain } from '../workflows/kernel/definition';
import type { Fact } from '../workflows/kernel/fact';
import { fold, type AnyState, type Placed } from '../workflows/kernel/lifecycle';
import type { Recorded, Telling } from '../workflows/kernel/recording';
import { refill, storedInstead } from './stored';
import { bare } from './told';

/** An effect on our own tables, made in the transaction of the fact that tells it. */
export interface ToldEffect<Request, Decision extends { readonly fact: Fact }> {
  /** Locks what the effect concerns, always in the same order, and decides; one decision a request, in their order. */
  decide(tx: Queryable, requests: readonly Request[]): Promise<readonly Decision[]>;
  /** Makes the effect of all that was decided; the fact of each is stored by now. */
  make(tx: Queryable, decisions: readonly Decision[]): Promise<void>;
}

/** What became of a batch: what was stored, and why others never can be; by `keyOfTelling`. */
interface Outcome {
  readonly stored: ReadonlyMap<string, Stored>;
  readonly refused: ReadonlyMap<string, string>;
}

type Asking = Telling<Placed<AnyState>>;

/**
 * Causes an effect for many stories at once and tells the fact of each. Where a version is told already, or
 * lacks its predecessor, nothing is moved for that story and it is answered with what is stored. A batch that
 * PostgreSQL refuses for somebody's data is split until the culprit stands alone.
 * @throws what is nobody's own fault; calling again is safe, because whoever was told is then only answered.
 */
export async function tellEffects<Request extends Asking, Decision extends { readonly fact: Fact }>(
  { db, hint }: { readonly db: Pool; readonly hint: Hint }, domain: Domain, requests: readonly Request[], effect: ToldEffect<Request, Decision>,
): Promise<Recorded[]> {
  const [firsts, later] = onePerStory(requests);
  const lost = await refill(db, domain, firsts);
  const round = lost.size === 0 ? firsts : firsts.filter(({ id }) => !lost.has(id));
  const { stored, refused } = await tellBatch(db, domain, round, effect);
  if (stored.size > 0) hint(urgencyOf(domain, [...stored.values()]));

  const missed = round.filter((request) => !stored.has(keyOf(request)) && !refused.has(keyOf(request)));
  const instead = await storedInstead(db, domain, missed);
  const answers = firsts.map((request): Recorded => {
    const { id, version } = request;
    if (lost.has(id)) return { id, version, outcome: 'lost' };
    const telling = stored.get(keyOf(request));
    if (telling) return { id, version, outcome: 'told', facts: [bare(telling.fact)] };
    const reason = refused.get(keyOf(request));
    if (reason) return { id, version, outcome: 'refused', reason };
    return instead.get(id) ?? { id, version, outcome: 'lacking', has: 0 };
  });
  return later.length === 0 ? answers : [...answers, ...(await tellEffects({ db, hint }, domain, later, effect))];
}

async function tellBatch<Request extends Asking, Decision extends { readonly fact: Fact }>(
  db: Pool, domain: Domain, requests: readonly Request[], effect: ToldEffect<Request, Decision>,
): Promise<Outcome> {
  if (requests.length === 0) return { stored: new Map(), refused: new Map() };
  try {
    return { stored: await withoutDeadlock(() => inTransaction(db, (tx) => tellAll(tx, domain, requests, effect))), refused: new Map() };
  } catch (thrown) {
    if (thrown instanceof OthersTold) return tellBatch(db, domain, requests.filter((request) => thrown.left.has(keyOf(request))), effect);
    if (!isDataFault(thrown)) throw thrown;
    const [first] = requests;
    if (requests.length === 1 && first) return { stored: new Map(), refused: new Map([[keyOf(first), String(thrown)]]) };
    const half = Math.ceil(requests.length / 2);
    const left = await tellBatch(db, domain, requests.slice(0, half), effect);
    const right = await tellBatch(db, domain, requests.slice(half), effect);
    return { stored: new Map([...left.stored, ...right.stored]), refused: new Map([...left.refused, ...right.refused]) };
  }
}

/**
 * Undoes a batch in which somebody's version was taken. What was decided for the others may rest on it: the
 * last piece of a product, kept for a story that had got it long ago, would be refused to the next in line.
 */
class OthersTold extends Error {
  override readonly name = 'OthersTold';

  constructor(readonly left: ReadonlySet<string>) {
    super('a version of this batch is told already');
  }
}

async function tellAll<Request extends Asking, Decision extends { readonly fact: Fact }>(
  tx: Queryable, domain: Domain, requests: readonly Request[], effect: ToldEffect<Request, Decision>,
): Promise<ReadonlyMap<string, Stored>> {
  const decisions = await effect.decide(tx, requests);
  const tellings = requests.map((request, index) => tellingOf(domain, request, decisions[index]?.fact));
  const stored = await insertFacts(tx, domain, tellings);
  if (stored.size === 0) return new Map();
  if (stored.size < requests.length) throw new OthersTold(stored);
  await effect.make(tx, decisions);
  return new Map(tellings.map((telling) => [keyOfTelling(telling), telling]));
}

function tellingOf({ lifecycle }: Domain, { id, before, causedBy }: Asking, fact: Fact | undefined): Stored {
  if (!fact) throw new Error(`nothing was decided for ${id}`);
  return { id, fact, after: fold(lifecycle, [fact], before), ...(causedBy && { causedBy }) };
}

/** A story that is asked for twice in one call is served once; the second time it is told what became of it. */
function onePerStory<Request extends Asking>(requests: readonly Request[]): [round: readonly Request[], later: readonly Request[]] {
  const seen = new Set<string>();
  const isFirst = requests.map(({ id }) => !seen.has(id) && seen.add(id) !== undefined);
  return [requests.filter((_, index) => isFirst[index]), requests.filter((_, index) => !isFirst[index])];
}

function keyOf({ id, version }: Asking): string {
  return keyOfTelling({ id, fact: { version } });
}
