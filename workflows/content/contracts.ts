import { z } from 'zod';

/**
 * What every record about a task says. The one place: Avro and JSON schemas, the event catalogue and the types of
 * the story are derived from it. Only ever add fields that may be absent: readers of older records must go on.
 */

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
  .refine((named) => Object.keys(named).length <= 100, 'at most 100 variables')
  .describe('values for the placeholders of the prompt, by name; in Avro each is a JSON text');

const taskId = uuid.describe('the task; the key of the record');
const attempt = z.int().min(0).describe('attempts at generating so far, this one included');
const sha256 = z.string().describe('of the bytes, hex');
const tokens = z.int().min(0).nullable();

/** A rule that a draft broke, with what was measured on it. */
const ruleFailure = z.object({
  rule: z.string(),
  fact: z.string().describe('what was measured'),
  operator: z.string(),
  expected: z.unknown().describe('any JSON value'),
  measured: z.unknown().describe('any JSON value'),
}).meta({ title: 'RuleFailure' });

/** Tokens as the model counted them; null where it did not say. */
const modelUsage = z.object({ inputTokens: tokens, outputTokens: tokens }).meta({ title: 'ModelUsage' });

export const contentFacts = {
  TaskCreated: z.object({
    eventId: outsideId.describe('names this record; any producer makes its own'),
    taskId,
    templateId: uuid,
    priority,
    modelType: outsideId.describe('who is to write: local, scripted, or a name of the agent registry'),
    timestamp: z.int().min(0).max(INSTANT_MS_MAX).describe('when it was created, milliseconds since 1970 UTC'),
    userId: outsideId,
    variables: variables.exactOptional(),
  }).describe('A task was accepted. Whoever writes this record starts it.'),
  TaskAssigned: z.object({ taskId, attempt, agentId: z.string() })
    .describe('An attempt was given to an agent; a retry is the next attempt.'),
  ContentGenerated: z.object({
    taskId, attempt, contentUri: z.string().describe('where the draft lies, s3://bucket/key'), sha256, model: z.string(), usage: modelUsage,
  }).describe('The model answered with a draft.'),
  ValidationFailed: z.object({ taskId, attempt, failures: z.array(ruleFailure) })
    .describe('The draft broke rules: every one of them, with its measured value.'),
  ContentValidated: z.object({ taskId, attempt, score: z.number() })
    .describe('The draft keeps every rule. From here on it is stored, and cancels come too late.'),
  ContentStored: z.object({ taskId, uri: z.string().describe('s3://bucket/key'), sha256, bytes: z.int().min(0) })
    .describe('The content lies in the object store. The task is complete.'),
  TaskFailed: z.object({
    taskId, reason: z.enum(['validation', 'technical', 'unknown-template', 'unknown-model']), attempts: z.int().min(0),
  }).describe('The task ended without content.'),
  TaskCancelled: z.object({ taskId, by: z.string().describe('who asked for it, or unknown'), reason: z.string().nullable() })
    .describe('The task was ended because somebody asked for it.'),
};
