import type { Domain, HttpCommand } from '../../workflows/kernel/definition';
import { isOwned, rowOf } from '../api/queries';
import { FazendaError } from '../errors';
import type { Queryable } from '../facts/postgres';
import { keptTo, type Caller } from './caller';

/**
 * Whose an aggregate is, is said by the aggregate itself: a field of the request that began it, which its view
 * keeps in a column. So it needs no table of its own, holds for what came in by Kafka too, and comes back with the
 * view from the facts. What belongs to somebody else does not exist for a submitter: 404, which tells nothing of it.
 */

/** The body with its submitter's name in it, where it has to be and was left out. Before it is validated. */
export function signed(caller: Caller, { ownerField }: HttpCommand, document: unknown): unknown {
  const only = keptTo(caller);
  if (only === undefined || ownerField === undefined || typeof document !== 'object' || document === null || Array.isArray(document)) return document;
  return { [ownerField]: only, ...document };
}

/**
 * Whether a submitter speaks for itself; `body` has been validated.
 * @throws FazendaError FZ_FORBIDDEN where it names somebody else, or the command names nobody at all
 */
export function checkSigned(caller: Caller, { ownerField, path }: HttpCommand, body: unknown): void {
  const only = keptTo(caller);
  if (only === undefined) return;
  if (ownerField === undefined) throw new FazendaError('FZ_FORBIDDEN', `${path} names nobody whose it would be; it is not for submitters`);
  if ((body as Readonly<Record<string, unknown>>)[ownerField] !== only) {
    throw new FazendaError('FZ_FORBIDDEN', `${ownerField} is not ${only}, who sends this`, { fields: [{ path: ownerField, message: `must be ${only}` }] });
  }
}

/**
 * Whether an aggregate is the caller's to see and to end, for a caller who is kept to its own.
 * @throws FazendaError FZ_NOT_FOUND where it is somebody else's, or is not there
 */
export async function checkOwned(db: Queryable, caller: Caller, domain: Domain, idOf: () => string): Promise<void> {
  const only = keptTo(caller);
  if (only === undefined) return;
  const id = idOf();
  if (!isOwned(domain, await rowOf(db, domain, id), only)) throw new FazendaError('FZ_NOT_FOUND', `nothing of ${only} has the id ${id}`);
}
