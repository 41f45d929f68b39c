import ms from 'ms';
import { z } from 'zod';

/** A setting that is a length of time: `24h`-like or milliseconds; read as milliseconds. */
export const duration = (preset: ms.StringValue) =>
  z.string().default(preset).transform((text, context) => {
    const given = /^\d+$/.test(text) ? Number(text) : ms(text as ms.StringValue);
    if (given !== undefined && given > 0) return given;
    context.addIssue({ code: 'custom', message: 'is no duration; write 90s, 15m, 24h or milliseconds' });
    return z.NEVER;
  });

/** A column of a view that is an instant, as the API writes it: UTC, or null. */
export const instant = (column: unknown): string | null => (column instanceof Date ? column.toISOString() : null);
