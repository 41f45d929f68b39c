import type { output, ZodType } from 'zod';

/** What happened to one aggregate, once, in the past tense. Version 1 is the first; there are no gaps. */
export interface Fact<Type extends string = string, Data extends object = object> {
  readonly type: Type;
  readonly version: number;
  /** When it happened, ISO 8601 in UTC with milliseconds. Never before the fact that precedes it. */
  readonly at: string;
  readonly data: Data;
  /**
   * What the story must know and readers of its topic were not promised: stored beside the data and carried
   * in a header, so that a fact read back from its topic folds to the same state. Only a first fact has one.
   */
  readonly context?: object;
}

/** A message for a story that is already running or will run: what a signal carries, kept in Postgres first. */
export interface Mail<Type extends string = string, Data extends object = object> {
  /** The `ce_id` of the command; the same command delivered twice is the same mail. */
  readonly id: string;
  readonly type: Type;
  readonly data: Data;
}

/** Fact types by name → the distributive union of their facts, so that a `switch` over `type` narrows `data`. */
export type FactOf<Shapes extends object> = {
  [Type in keyof Shapes & string]: Fact<Type, Shapes[Type] & object>;
}[keyof Shapes & string];

/** What a story reads and writes of facts whose contracts are given, by type. Types alone: zod stays out of the bundle. */
export type Told<Contracts extends Readonly<Record<string, ZodType>>> = {
  readonly [Type in keyof Contracts]: ReadonlyDeep<output<Contracts[Type]>>;
};

type ReadonlyDeep<Value> = Value extends readonly (infer Item)[]
  ? readonly ReadonlyDeep<Item>[]
  : Value extends object ? { readonly [Key in keyof Value]: ReadonlyDeep<Value[Key]> } : Value;
