import { z } from 'zod';
import { domains } from '../../workflows/domains';
import type { QueryParameters } from '../api/paging';
import { entities } from '../entities';
import { FazendaError } from '../errors';
import { instantOf } from './event';

/** Whose events can be asked for, in the order in which they are told. */
export const TELLERS: readonly { readonly name: string; readonly types: readonly string[] }[] = [...domains, ...entities].map(({ name, topics }) => ({ name, types: Object.keys(topics) }));

const span = z.strictObject({
  domain: z.string().refine((name) => TELLERS.some((teller) => teller.name === name), `is none of ${TELLERS.map(({ name }) => name).join(', ')}`).optional(),
  from: z.iso.datetime({ offset: true }).optional(),
  until: z.iso.datetime({ offset: true }).optional(),
});

/** Which events are counted: of one domain or all, told at `from` or later and before `until`. */
export interface Span {
  readonly domain: string | undefined;
  readonly from: string | undefined;
  readonly until: string | undefined;
}

/** A parameter that is empty counts as not given. @throws FazendaError FZ_QUERY_INVALID naming every parameter that is wrong */
export function readSpan(parameters: QueryParameters): Span {
  const parsed = span.safeParse(Object.fromEntries(Object.entries(parameters).filter(([, value]) => value !== '')));
  if (!parsed.success) {
    const fields = parsed.error.issues.map((issue) => ({ path: issue.path.join('.') || (issue.code === 'unrecognized_keys' ? issue.keys.join(', ') : 'query'), message: issue.message }));
    throw new FazendaError('FZ_QUERY_INVALID', fields.map(({ path, message }) => `${path}: ${message}`).join('; '), { fields });
  }
  const { domain, from, until } = parsed.data;
  return { domain, from, until };
}

/** The same as a condition on a table of analytics, with the parameters that it takes. */
export function conditionOf({ domain, from, until }: Span): { where: string; parameters: Record<string, unknown> } {
  const terms = [
    ...(domain === undefined ? [] : ['aggregate = {domain: String}']),
    ...(from === undefined ? [] : ['time >= {from: DateTime64(3)}']),
    ...(until === undefined ? [] : ['time < {until: DateTime64(3)}']),
  ];
  return {
    where: terms.length > 0 ? terms.join(' AND ') : '1',
    parameters: { ...(domain !== undefined && { domain }), ...(from !== undefined && { from: instantOf(from) }), ...(until !== undefined && { until: instantOf(until) }) },
  };
}
