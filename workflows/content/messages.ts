import { z } from 'zod';

/** Ids compare as lower case, so that one task cannot have two spellings. */
export const uuid = z.guid().transform((id) => id.toLowerCase());

/** Ids and names from outside: 1 to 255 characters. */
export const outsideId = z.string().min(1).max(255);

export const priority = z.enum(['low', 'normal', 'high']);

/** Bounds a partner's clock to what PostgreSQL and ISO 8601 can both write: the years 1970 to 9999. */
const INSTANT_MS_MAX = 253_402_300_799_999;

/** Named values for a template's prompt, at most 100; any JSON value. */
export const variables = z
  .record(z.string().min(1).max(255), z.json())
  .refine((named) => Object.keys(named).length <= 100, 'at most 100 variables');

/** `POST /commands/create-task` */
export const createTask = z.object({
  taskId: uuid.optional(),
  templateId: uuid,
  modelType: outsideId,
  priority,
  userId: outsideId,
  variables: variables.optional(),
}).meta({
  examples: [{
    templateId: '00000000-0000-4000-8000-000000000001', modelType: 'local', priority: 'normal', userId: 'me', variables: { product: 'coffee' },
  }],
});
export type CreateTask = z.infer<typeof createTask>;

/** `POST /commands/cancel-task`, and the record on `task.cancel`. */
export const cancelTask = z.object({
  taskId: uuid,
  reason: z.string().max(1_000).nullish(),
  userId: outsideId.optional(),
});
export type CancelTask = z.infer<typeof cancelTask>;

/** The record on `task.created`, whoever wrote it: the seven fields of the seed, and variables. */
export const taskCreated = z.object({
  eventId: outsideId,
  taskId: uuid,
  templateId: uuid,
  priority,
  modelType: outsideId,
  timestamp: z.number().int().min(0).max(INSTANT_MS_MAX),
  userId: outsideId,
  variables: variables.nullish(),
});
export type TaskCreated = z.infer<typeof taskCreated>;
