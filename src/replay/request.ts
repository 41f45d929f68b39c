import { z } from 'zod';
import { domains } from '../../workflows/domains';
import { topicsOf } from './told-fact';

/** One end of a replay, in the body of `POST /admin/replay`. */
const bound = z.union([
  z.strictObject({ version: z.number().int().min(0).max(2_147_483_647) }),
  z.strictObject({ instant: z.iso.datetime({ offset: true }) }),
  z.strictObject({ offset: z.partialRecord(z.enum(topicsOf()), z.number().int().min(0)).refine((offsets) => Object.keys(offsets).length > 0, 'names no topic') }),
]);

export type Bound = z.infer<typeof bound>;

/** Body of `POST /admin/replay`. */
export const replayRequest = z.strictObject({
  aggregateId: z.string().min(1).max(255),
  /** Where several domains know the id. */
  domain: z.enum(domains.map(({ name }) => name)).optional(),
  from: bound.optional(),
  until: bound.optional(),
}).meta({ examples: [{ aggregateId: '3f0c8a52-3a0e-4f0e-9d37-0d2f9a4b7c11', from: { version: 2 } }] });

export type ReplayRequest = z.infer<typeof replayRequest>;
