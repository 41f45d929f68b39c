/**
 * What is counted of a domain's stories in windows of time, as data: whoever keeps the windows makes a query of it.
 *
 * A fact belongs to the windows that its own time lies in, whenever it arrives. What is known of a whole story (how long
 * it took, why it failed) belongs to the windows of the fact that ends it, and is counted once all of the story is there.
 */
export interface Statistics<FactType extends string = string> {
  /** Its topics are `<stream>.stats.<window>`, as `orders.stats.1m`. */
  readonly stream: string;
  /** The figures of a window, by the name that its readers know. */
  readonly measures: Readonly<Record<string, Measure<FactType>>>;
}

export type Measure<FactType extends string = string> = Count<FactType> | Change<FactType> | Tally<FactType> | Amount<FactType> | Quantity<FactType> | Duration<FactType>;

interface Said {
  /** For the catalogue of events; one line. */
  readonly says: string;
}

/** How many facts of these types there are. */
export interface Count<FactType extends string = string> extends Said {
  readonly kind: 'count';
  readonly of: readonly FactType[];
}

/** How many more there are of some than of others. */
export interface Change<FactType extends string = string> extends Said {
  readonly kind: 'change';
  readonly plus: readonly FactType[];
  readonly minus: readonly FactType[];
}

/** How many facts there are of each value of a text field. */
export interface Tally<FactType extends string = string> extends Said {
  readonly kind: 'tally';
  readonly of: readonly FactType[];
  readonly field: string;
  /** Where the fact that ends a story does not say it: the last fact of the story that does. */
  readonly story?: {
    /** What a fact of a type means by saying nothing. */
    readonly unsaid: Readonly<Partial<Record<FactType, string>>>;
    /** Where no fact has said it: a field of the ending fact, each of its values with what it stands for. */
    readonly otherwise: { readonly field: string; readonly values: Readonly<Record<string, string>> };
  };
}

/** The sum of a decimal field, exact; shown as a decimal text. */
export interface Amount<FactType extends string = string> extends Said {
  readonly kind: 'amount';
  readonly of: readonly FactType[];
  readonly field: string;
  readonly decimals: number;
}

/** Over the stories that these facts end: the sum of a whole number over a list in the story's first fact. */
export interface Quantity<FactType extends string = string> extends Said {
  readonly kind: 'quantity';
  readonly of: readonly FactType[];
  readonly list: string;
  readonly field: string;
}

/**
 * Over the stories that these facts end: the time since the story's first fact, ms; one that ends before it began, by the
 * clock of somebody else, took none. Of n in order, the quantile q is the one at ⌊q·n⌋, counted from 0.
 */
export interface Duration<FactType extends string = string> extends Said {
  readonly kind: 'duration';
  readonly of: readonly FactType[];
}
