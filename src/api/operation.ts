import type { ZodType } from 'zod';
import type { ErrorCode } from '../errors';

/** An operation of the API as its document says it, for routes that no domain's definition describes. */
export interface Operation {
  readonly method: 'get' | 'post' | 'patch' | 'delete';
  /** As the route has it: `/things/:id`. */
  readonly path: string;
  readonly tag: string;
  readonly summary: string;
  /** What it reads beside the path's id: the headers of a keyed POST, of a change, of a page of a list, of a span of time, or of windows. */
  readonly reads?: 'keyed' | 'correlation' | 'page' | 'span' | 'windows';
  readonly body?: { readonly name: string; readonly schema: ZodType };
  /** Status and what it means. A document comes with each but 204 and 304; `list` says that it is a page. */
  readonly answers: Readonly<Record<number, string>>;
  readonly list?: boolean;
  readonly faults: readonly ErrorCode[];
}
