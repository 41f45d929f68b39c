import type { Queryable } from '../facts/postgres';
import { standingSince } from '../facts/standing';
import { AwaySince } from './dependencies';

/**
 * Whether this database still knows what the topics tell. One that nobody has judged yet counts as whole: whoever
 * takes records in judges it before he does, and until then nothing has been told by it.
 * @throws AwaySince the moment when it was found to have lost it
 */
export async function checkWhole(db: Queryable): Promise<void> {
  const { state, since } = await standingSince(db);
  if (state === 'lost') throw new AwaySince('PostgreSQL knows nothing of what the topics tell; nothing is taken in until npx fazenda recover postgres', since);
}
