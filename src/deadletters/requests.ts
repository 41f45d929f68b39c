import { z } from 'zod';
import { LIMIT_MAX } from '../api/paging';
import { BULK_MAX, RATE_MAX_PER_S, RATE_PRESET_PER_S } from './bulk';
import { selection } from './list';

/** The bodies of redrives. */

const why = z.string().min(1).max(1_000).nullish();

/** `POST /admin/dead-letters/:id/redrive`; without a body the record goes back as it was. */
export const redriveLetter = z.strictObject({
  why,
  /** The edited value as JSON. */
  value: z.json().optional(),
  /** The edited value as bytes: what JSON cannot say, or is not to be written anew. */
  valueBase64: z.base64().optional(),
  dryRun: z.boolean().default(false),
}).refine(({ value, valueBase64 }) => value === undefined || valueBase64 === undefined, 'value and valueBase64 exclude each other')
  .meta({ examples: [{ why: 'the producer forgot the user', dryRun: true }] });
export type RedriveLetter = z.infer<typeof redriveLetter>;

/** `POST /admin/dead-letters/redrive` */
export const redriveLetters = z.strictObject({
  ids: z.array(z.string().min(1).max(400)).min(1).max(BULK_MAX).optional(),
  where: selection.optional(),
  why,
  ratePerSecond: z.number().min(0.1).max(RATE_MAX_PER_S).default(RATE_PRESET_PER_S),
  limit: z.number().int().min(1).max(LIMIT_MAX).default(BULK_MAX),
  cursor: z.string().max(2_000).optional(),
  dryRun: z.boolean().default(false),
}).refine(({ ids, where }) => (ids === undefined) !== (where === undefined), 'name ids, or say where')
  .meta({ examples: [{ where: { code: 'FZ_SCHEMA_INVALID' }, why: 'the schema was widened', ratePerSecond: 5, dryRun: true }] });
export type RedriveLetters = z.infer<typeof redriveLetters>;
