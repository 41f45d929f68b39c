import { z } from 'zod';

const TEXT_MAX = 255;
const text = z.string().min(1).max(TEXT_MAX);

/** Body of `POST /v1/items`. */
export const newItem = z.object({ name: text, sku: text }).meta({ examples: [{ name: 'Wheelbarrow', sku: 'WB-1' }] });
export type NewItem = z.infer<typeof newItem>;

/** Body of `PATCH /v1/items/:id`: what shall be otherwise, at least one thing. */
export const itemChanges = z.object({ name: text.optional(), sku: text.optional() })
  .refine((changes) => Object.keys(changes).length > 0, 'names nothing to change')
  .meta({ examples: [{ name: 'Red wheelbarrow' }] });
export type ItemChanges = z.infer<typeof itemChanges>;
