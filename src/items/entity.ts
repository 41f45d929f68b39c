import { z } from 'zod';
import { itemBook } from './book';
import { ITEMS_TABLE } from './table';

/** What is told of an item, by type. Names, in snake case, and topic are S2's. */
const data = {
  ItemCreated: z.object({ id: z.string(), name: z.string(), sku: z.string(), created_by: z.string() }),
  ItemUpdated: z.object({ id: z.string(), changes: z.object({ name: z.string().optional(), sku: z.string().optional() }), updated_by: z.string() }),
  ItemDeleted: z.object({ id: z.string(), deleted_by: z.string() }),
};

export type ItemEvents = { readonly [Type in keyof typeof data]: z.infer<(typeof data)[Type]> };

const TOPIC = 'items-events';

export const item = {
  name: 'item',
  topics: { ItemCreated: TOPIC, ItemUpdated: TOPIC, ItemDeleted: TOPIC },
  data,
  tables: [ITEMS_TABLE],
  books: [itemBook],
  headers: ({ type, at }: { readonly type: string; readonly at: string }) => ({ event_type: type, entity_type: 'Item', timestamp: at }),
};
