import { z } from 'zod';
import { contentFacts, outsideId, priority, uuid, variables } from './contracts';

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
}).describe('Somebody wants a task to end. One that is complete stays as it is.');
export type CancelTask = z.infer<typeof cancelTask>;

/** The record on `task.created`, whoever wrote it; partners may write null for no variables. */
export const taskCreated = contentFacts.TaskCreated.extend({ variables: variables.nullish() });
export type TaskCreated = z.infer<typeof taskCreated>;
