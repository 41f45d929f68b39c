import type { Domain } from '../../workflows/kernel/definition';
import type { AnyState, Placed } from '../../workflows/kernel/lifecycle';
import { canonicalJson } from '../canonical';

/** Where another teller says something else than the topics. */
export interface Difference {
  /** Who: the table of the view, `temporal`, or `topics` where they do not agree with themselves. */
  readonly teller: string;
  /** A column of the view, or a field of the state. */
  readonly field: string;
  /** What the topics say. */
  readonly expected: unknown;
  /** What the teller says. */
  readonly found: unknown;
}

/** Field by field, in the order of what is expected. Documents that mean the same are the same, however they are spelled. */
export function compare(teller: string, fields: readonly string[], expected: object, found: object): Difference[] {
  const [dues, theres] = [new Map<string, unknown>(Object.entries(expected)), new Map<string, unknown>(Object.entries(found))];
  return fields.flatMap((field) => {
    const [due, there] = [dues.get(field) ?? null, theres.get(field) ?? null];
    return canonicalJson(due) === canonicalJson(there) ? [] : [{ teller, field, expected: due, found: there }];
  });
}

/**
 * The columns that facts alone decide. At version 1 a row keeps when the fact came in by its door, which no record
 * says; so what moves with that time is left out.
 */
export function factColumns({ view, lifecycle }: Domain, id: string, state: Placed<AnyState>): string[] {
  const row = view.row(id, state, lifecycle.phase(state));
  if (state.version > 1) return Object.keys(row);
  const moved = view.row(id, { ...state, movedAt: new Date(0).toISOString() }, lifecycle.phase(state));
  return Object.keys(row).filter((column) => row[column] === moved[column]);
}
