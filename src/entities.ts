import type { ZodType } from 'zod';
import type { Book } from '../workflows/kernel/definition';
import { item } from './items/entity';

/**
 * A table whose changes are told as facts and which has no story: no workflow, no state to fold, nobody who
 * starts it. Its facts lie in the same table as those of stories and go out by the same relay.
 */
export interface Entity {
  /** `aggregate_type`, and part of every id and of `ce_source` (`/fazenda/<name>`); never changes. */
  readonly name: string;
  /** Each fact's topic, by type. */
  readonly topics: Readonly<Record<string, string>>;
  /** What a fact says, by type. */
  readonly data: Readonly<Record<string, ZodType>>;
  /** Its own tables: idempotent SQL, run at every migration. */
  readonly tables: readonly string[];
  /** Its tables as its facts tell them, for a recovery. */
  readonly books?: readonly Book[];
  /** Headers that its readers were promised beside those of every event; pure: the same fact gives the same. */
  headers(fact: { readonly type: string; readonly at: string }): Readonly<Record<string, string>>;
}

/** The one list of entities; what has to be done for each of them loops over this. */
export const entities: readonly Entity[] = [item];

const byName = new Map(entities.map((entity) => [entity.name, entity]));

/** Undefined where the aggregate is a story. */
export function entityNamed(name: string): Entity | undefined {
  return byName.get(name);
}
