import type { Measure, Tally } from '../../workflows/kernel/statistics';

/**
 * Measures as ClickHouse computes them, in three steps: what a row of the log says, what the rows of a story say together,
 * what that is for a fact in a window. Nothing in them comes from a record: names and types are those of the domains' own
 * descriptions, and quoted all the same.
 */
export interface MeasureSql {
  /** Of a row, by name: made of `payload`, `type`, `version`. The payload is read here and not carried on. */
  readonly ofRow: Readonly<Record<string, string>>;
  /** Of a story, by name: aggregates over its rows. */
  readonly ofStory: Readonly<Record<string, string>>;
  /** Of a fact: made of its row's and its story's columns, `at_ms`, `born_ms`, and `whole`: it ends a story that is all there. */
  readonly ofFact: string;
  /** Of a window: an aggregate over that. */
  readonly ofWindow: (column: string) => string;
  /** What came out, as the contract says it. */
  readonly read: (value: unknown) => unknown;
}

/** @param name of the measure, letters and digits; no other of its stream has it */
export function measureSql(name: string, measure: Measure): MeasureSql {
  const none = { ofRow: {}, ofStory: {} };
  const sum = (column: string): string => `sum(${column})`;
  switch (measure.kind) {
    case 'count':
      return { ...none, ofFact: isOf(measure.of), ofWindow: sum, read: Number };
    case 'change':
      return { ...none, ofFact: `toInt64(${isOf(measure.plus)}) - ${isOf(measure.minus)}`, ofWindow: sum, read: Number };
    case 'tally':
      return tallySql(name, measure);
    case 'amount': {
      // The text of the number as it stands: read as a float first, 0.29 could become 0.28.
      const amount = `toDecimal128OrZero(trim(BOTH '"' FROM JSONExtractRaw(payload, ${quoted(measure.field)})), ${measure.decimals})`;
      const ofRow = { [`row_${name}`]: `if(${isOf(measure.of)}, ${amount}, toDecimal128(0, ${measure.decimals}))` };
      return { ofRow, ofStory: {}, ofFact: `row_${name}`, ofWindow: (column) => `toString(sum(${column}))`, read: (value) => withDecimals(String(value), measure.decimals) };
    }
    case 'quantity': {
      const listed = `arraySum(one -> JSONExtractInt(one, ${quoted(measure.field)}), JSONExtractArrayRaw(payload, ${quoted(measure.list)}))`;
      return {
        ofRow: { [`row_${name}`]: `if(version = 1, ${listed}, 0)` }, ofStory: { [`story_${name}`]: `sum(row_${name})` },
        ofFact: `if(${isOf(measure.of)} AND whole, story_${name}, 0)`, ofWindow: sum, read: Number,
      };
    }
    case 'duration':
      return {
        ...none,
        ofFact: `if(${isOf(measure.of)} AND whole, greatest(at_ms - born_ms, 0), NULL)`,
        ofWindow: (column) => `tuple(countIf(isNotNull(${column})), quantilesExactIf(0.5, 0.95)(assumeNotNull(${column}), isNotNull(${column})), maxIf(assumeNotNull(${column}), isNotNull(${column})))`,
        read: readDurations,
      };
    default:
      return measure satisfies never;
  }
}

function tallySql(name: string, { of, field, story }: Tally): MeasureSql {
  const said = `JSONExtractString(payload, ${quoted(field)})`;
  const shape = { ofWindow: (column: string) => `sumMapIf([${column}], [toUInt64(1)], ${column} != '')`, read: readTally };
  if (!story) return { ...shape, ofRow: { [`row_${name}`]: `if(${isOf(of)}, ${said}, '')` }, ofStory: {}, ofFact: `row_${name}` };
  return {
    ...shape,
    ofRow: {
      [`row_${name}`]: `if(${said} != '', ${said}, ${oneOf('type', story.unsaid)})`,
      [`else_${name}`]: oneOf(`JSONExtractString(payload, ${quoted(story.otherwise.field)})`, story.otherwise.values),
    },
    ofStory: { [`story_${name}`]: `argMaxIf(row_${name}, version, row_${name} != '')` },
    ofFact: `if(${isOf(of)} AND whole, if(story_${name} != '', story_${name}, else_${name}), '')`,
  };
}

/** 1 where the fact is of one of these types. */
function isOf(types: readonly string[]): string {
  return `(type IN (${types.map(quoted).join(', ')}))`;
}

/** A text → what a table says of it, else the empty text. */
function oneOf(expression: string, values: Readonly<Record<string, string | undefined>>): string {
  const pairs = Object.entries(values).flatMap(([from, to]) => (to === undefined ? [] : [[from, to] as const]));
  if (pairs.length === 0) return "''";
  return `transform(${expression}, [${pairs.map(([from]) => quoted(from)).join(', ')}], [${pairs.map(([, to]) => quoted(to)).join(', ')}], '')`;
}

/** A text of SQL. */
export function quoted(text: string): string {
  return `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
}

/** Keys in order, so that the same tally is the same bytes. */
function readTally(value: unknown): Record<string, number> {
  const [keys, counts] = value as [string[], (string | number)[]];
  return Object.fromEntries(keys.map((key, place) => [key, Number(counts[place])] as const).sort(([one], [other]) => (one < other ? -1 : 1)));
}

function readDurations(value: unknown): { p50: number; p95: number; max: number } | null {
  const [count, [p50, p95], max] = value as [string | number, [string | number, string | number], string | number];
  return Number(count) === 0 ? null : { p50: Number(p50), p95: Number(p95), max: Number(max) };
}

/** A decimal text with all of its decimals. */
function withDecimals(text: string, decimals: number): string {
  const [units = '0', fraction = ''] = text.split('.');
  return decimals === 0 ? units : `${units}.${fraction.padEnd(decimals, '0')}`;
}
