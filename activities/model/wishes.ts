import type { RuleFailure } from '../../workflows/content/lifecycle';

/** Between how much and how much, both included. */
export interface Bounds {
  readonly min: number;
  readonly max: number;
}

/** What the rules that a draft broke ask of the next one, as far as the local model understands them. */
export interface Wishes {
  bounds(fact: 'words' | 'characters' | 'paragraphs' | 'sentences'): Bounds;
  /** ISO 639-1, or undefined where nobody minds. */
  readonly language: string | undefined;
  /** Words that must be there, and words that must not. */
  readonly wanted: readonly string[];
  readonly unwanted: readonly string[];
  /** True where what the task's maker wrote got in the way: a banned word, an address, a quoted prompt. */
  readonly withoutSubject: boolean;
}

export function wishesOf(failures: readonly RuleFailure[]): Wishes {
  const keywords = (operator: string) => failures.filter((one) => one.fact === 'keywords' && one.operator === operator).map((one) => String(one.expected));
  return {
    bounds(fact) {
      const asked = failures.filter((one) => one.fact === fact).map(boundsOf);
      return { min: Math.max(0, ...asked.map((one) => one.min)), max: Math.min(Infinity, ...asked.map((one) => one.max)) };
    },
    language: languageOf(failures),
    wanted: keywords('contains'),
    unwanted: keywords('doesNotContain'),
    withoutSubject: failures.some(({ fact }) => fact === 'bannedWords' || fact === 'personalData' || fact === 'promptLeak'),
  };
}

function boundsOf({ operator, expected, measured }: RuleFailure): Bounds {
  const [wanted = NaN] = [expected].flat().map(Number);
  if (!Number.isFinite(wanted)) return { min: 0, max: Infinity };
  switch (operator) {
    case 'greaterThan': return { min: wanted + 1, max: Infinity };
    case 'greaterThanInclusive': return { min: wanted, max: Infinity };
    case 'lessThan': return { min: 0, max: wanted - 1 };
    case 'lessThanInclusive': return { min: 0, max: wanted };
    case 'equal':
    case 'in': return { min: wanted, max: wanted };
    default: return { min: Number(measured) + 1, max: Infinity };
  }
}

function languageOf(failures: readonly RuleFailure[]): string | undefined {
  const asked = failures.find(({ fact, operator }) => fact === 'language' && (operator === 'equal' || operator === 'in'));
  const [language] = [asked?.expected].flat();
  return typeof language === 'string' ? language : undefined;
}
