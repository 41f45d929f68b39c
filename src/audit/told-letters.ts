import type { Queryable } from '../facts/postgres';
import type { StoredFact } from '../facts/read';
import type { Found } from './kinds';
import type { Source } from './sources';

interface Row {
  readonly ce_id: string;
  readonly aggregate_type: string;
  readonly aggregate_id: string;
  readonly event: string;
}

/**
 * The ledger of letters beside the facts of some aggregates: of every fact that people are told of, one row under its
 * `ce_id`, and no row besides. What a letter says is not compared, because its wording may be better by now. By id.
 * @param due false where whoever makes letters has not come to that fact yet, or could make none of it
 */
export async function compareLetters(
  db: Queryable, { name, domain }: Source, byId: ReadonlyMap<string, readonly StoredFact[]>, due: (fact: StoredFact) => boolean,
): Promise<Map<string, Found[]>> {
  const found = new Map<string, Found[]>();
  const notices = domain?.notices;
  if (!notices || byId.size === 0) return found;
  const add = (id: string, one: Found): void => void found.set(id, [...(found.get(id) ?? []), one]);

  const told = [...byId.values()].flat().filter(({ type }) => notices[type]);
  const { rows } = await db.query<Row & Record<string, unknown>>(
    `SELECT ce_id, aggregate_type, aggregate_id, event FROM notifications
     WHERE ce_id = ANY($1::uuid[]) OR (aggregate_type = $2 AND aggregate_id = ANY($3))`,
    [told.map(({ ceId }) => ceId), name, [...byId.keys()]],
  );
  const letters = new Map(rows.map((row): [string, Row] => [row.ce_id, row]));
  for (const fact of told) {
    const { id, version, type, ceId } = fact;
    const letter = letters.get(ceId);
    letters.delete(ceId);
    if (!letter) {
      if (due(fact)) add(id, { kind: 'letter-missing', version, said: `${type} was taken in, and has no row in notifications` });
    } else if (letter.aggregate_type !== name || letter.aggregate_id !== id || letter.event !== type) {
      add(id, { kind: 'letter-differs', version, said: `its letter is about ${letter.event} of ${letter.aggregate_type} ${letter.aggregate_id}` });
    }
  }
  for (const { ce_id: ceId, aggregate_id: id, event } of letters.values()) add(id, { kind: 'letter-orphan', said: `letter ${ceId} is about ${event}, which no fact tells` });
  return found;
}
