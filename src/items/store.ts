import { FazendaError } from '../errors';
import { oneRow } from '../api/rows';
import { outboxParameter, toldWith, type OutboxFact } from '../facts/outbox';
import { isDataFault, type Prepared, type Queryable } from '../facts/postgres';
import { item, type ItemEvents } from './entity';
import type { ItemChanges, NewItem } from './messages';

/** A row of the table. */
export interface ItemRow {
  readonly id: string;
  readonly name: string;
  readonly sku: string;
  readonly created_by: string;
  readonly created_at: Date;
  readonly updated_at: Date;
  readonly version: number;
  readonly told: number;
}

/** Who changes an item, and what the change belongs to. */
export interface ItemCall {
  readonly userId: string;
  readonly correlationId: string;
  readonly traceparent: string;
}

export interface ItemStore {
  /** The row as made; made by an earlier try under the same id, as it is now. @throws FazendaError FZ_CONFLICT where that was deleted since */
  create(id: string, body: NewItem, call: ItemCall): Promise<ItemRow>;
  /** @throws FazendaError FZ_NOT_FOUND, FZ_CONFLICT when others change it all the time, and what `allow` throws */
  update(id: string, changes: ItemChanges, call: ItemCall, allow?: (row: ItemRow) => void): Promise<ItemRow>;
  /** @throws as `update` */
  remove(id: string, call: ItemCall, allow?: (row: ItemRow) => void): Promise<void>;
  /** @throws FazendaError FZ_NOT_FOUND */
  read(id: string): Promise<ItemRow>;
}

/** Each try that fails means that somebody else's change went through, so the limit is one of writers at once. */
const TRIES_MAX = 100;

const CREATE: Prepared = {
  name: 'item create',
  text: toldWith(`INSERT INTO items (id, name, sku, created_by, created_at, updated_at, version, told)
    VALUES ($1, $2, $3, $4, $5, $5, 1, $6) ON CONFLICT (id) DO NOTHING RETURNING *`, 7),
};
const UPDATE: Prepared = {
  name: 'item update',
  text: toldWith(`UPDATE items SET name = $3, sku = $4, updated_at = $5, version = version + 1, told = $6
    WHERE id = $1 AND version = $2 RETURNING *`, 7),
};
const REMOVE: Prepared = { name: 'item remove', text: toldWith('DELETE FROM items WHERE id = $1 AND version = $2 RETURNING *', 3) };

/**
 * Items, each change of which is stored with its event in one statement. Kafka is not asked: the relay puts the
 * event there later, so that a broker can neither fail nor slow a call, and no event is lost.
 * @param tells false where Kafka is disabled: the same changes, and no events
 * @param hint wakes the relay
 */
export function openItems(db: Queryable, tells: boolean, hint: () => void): ItemStore {
  async function read(id: string): Promise<ItemRow> {
    const row = (await oneRow(db, 'SELECT * FROM items WHERE id = $1', [id])) as ItemRow | undefined;
    return row ?? unknownItem(id);
  }

  /** Makes a change of the row as it was read, again where it was changed in between: its event names its version. */
  async function change(id: string, allow: (row: ItemRow) => void, make: (row: ItemRow, at: string) => Promise<ItemRow | undefined>): Promise<ItemRow> {
    for (let left = TRIES_MAX; left > 0; left -= 1) {
      const row = await read(id);
      allow(row);
      // A clock that was set back must not tell a later fact an earlier time.
      const at = new Date(Math.max(Date.now(), row.updated_at.getTime())).toISOString();
      const changed = await make(row, at);
      if (changed) {
        if (tells) hint();
        return changed;
      }
    }
    throw new FazendaError('FZ_CONFLICT', `${id} is changed by others all the time`);
  }

  /** The parameter that tells a change; `version` counts what was told of it. */
  function told<Type extends keyof ItemEvents & string>(id: string, version: number, type: Type, data: ItemEvents[Type], at: string, call: ItemCall): string {
    const { correlationId, traceparent } = call;
    const fact: OutboxFact = { entity: item.name, id, version, type, topic: item.topics[type], data, at, correlationId, causedBy: correlationId, traceparent };
    return outboxParameter(tells ? fact : undefined);
  }

  return {
    read,

    async create(id, { name, sku }, call) {
      const at = new Date().toISOString();
      const fact = told(id, 1, 'ItemCreated', { id, name, sku, created_by: call.userId }, at, call);
      try {
        const { rows } = await db.query<ItemRow & Record<string, unknown>>(CREATE, [id, name, sku, call.userId, at, tells ? 1 : 0, fact]);
        if (rows[0] && tells) hint();
        return rows[0] ?? (await read(id));
      } catch (thrown) {
        // The id is fresh, or that of a try whose answer was lost: its fact is there, and its row is not any more.
        if (isDataFault(thrown)) throw new FazendaError('FZ_CONFLICT', `${id} was made by this request before, and deleted since`, {}, thrown);
        throw thrown;
      }
    },

    async update(id, changes, call, allow = () => undefined) {
      return change(id, allow, async (row, at) => {
        const { name, sku, version, told: before } = { ...row, ...changes };
        const fact = told(row.id, before + 1, 'ItemUpdated', { id: row.id, changes, updated_by: call.userId }, at, call);
        const { rows } = await db.query<ItemRow & Record<string, unknown>>(UPDATE, [row.id, version, name, sku, at, before + (tells ? 1 : 0), fact]);
        return rows[0];
      });
    },

    async remove(id, call, allow = () => undefined) {
      await change(id, allow, async (row, at) => {
        const fact = told(row.id, row.told + 1, 'ItemDeleted', { id: row.id, deleted_by: call.userId }, at, call);
        const { rows } = await db.query<ItemRow & Record<string, unknown>>(REMOVE, [row.id, row.version, fact]);
        return rows[0];
      });
    },
  };
}

/** @throws FazendaError FZ_NOT_FOUND: the same for an item that nobody has and for one that is another's */
export function unknownItem(id: string): never {
  throw new FazendaError('FZ_NOT_FOUND', `there is no item ${id}`);
}
