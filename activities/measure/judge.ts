import { Engine } from 'json-rules-engine';
import type { RuleFailure } from '../../workflows/content/lifecycle';
import { MEASURED, type Rule } from '../../workflows/content/templates';
import { MEASURES, type Measure, type MeasuringContext } from './draft';

/** Of a list that was measured, a failure tells the beginning: facts are read by people and kept small. */
const TOLD_ITEMS_MAX = 50;
const TOLD_CHARACTERS_MAX = 64;

export interface Verdict {
  readonly failures: readonly RuleFailure[];
  /** Share of the rules that were kept, 0 to 1; 1 where there are none. */
  readonly score: number;
}

/**
 * Judges a draft by the rules of its template, each a rule of its own of json-rules-engine, so that every
 * broken one is told and not only the first. Only facts that a rule asks for are measured, once each.
 */
export async function judge(text: string, rules: readonly Rule[], context: MeasuringContext): Promise<Verdict> {
  if (rules.length === 0) return { failures: [], score: 1 };
  const measured = new Map<string, Measure>();
  const engine = new Engine();
  for (const fact of MEASURED) {
    engine.addFact(fact, () => {
      const value = measured.get(fact) ?? MEASURES[fact](text, context);
      measured.set(fact, value);
      return value;
    });
  }
  rules.forEach((rule, at) => {
    const { fact, operator } = rule;
    engine.addRule({ conditions: { all: [{ fact, operator, value: expectedBy(rule) }] }, event: { type: String(at) } });
  });

  const { failureEvents } = await engine.run();
  const broken = new Set(failureEvents.map(({ type }) => Number(type)));
  const failures = rules.filter((_, at) => broken.has(at)).map(({ name, fact, operator, value }): RuleFailure => ({
    rule: name, fact, operator, expected: value, measured: told(measured.get(fact)),
  }));
  return { failures, score: (rules.length - failures.length) / rules.length };
}

/** Keywords are lower case, so that a rule that names one with a capital still finds it. */
function expectedBy({ fact, value }: Rule): Rule['value'] {
  return fact === 'keywords' && typeof value === 'string' ? value.toLowerCase() : value;
}

function told(value: Measure | undefined): unknown {
  if (!Array.isArray(value)) return value;
  return value.slice(0, TOLD_ITEMS_MAX).map((item: string) => [...item].slice(0, TOLD_CHARACTERS_MAX).join(''));
}
