/**
 * What no store here can keep as it came: NUL, which PostgreSQL's text and json refuse, and a lone
 * surrogate, which is no Unicode character and would turn into U+FFFD on its way through UTF-8.
 */
const UNSTORABLE = /[\u0000\ud800-\udfff]/u;

/** Deepest nesting of a JSON document that is taken in; a document of depth 1 holds scalars only. */
export const DEPTH_MAX = 32;

/** Where a JSON value holds text that cannot be stored, and why; undefined when all of it can be. */
export interface TextFault {
  /** Dotted path of the text, or of the member whose name it is; empty for the document itself. */
  readonly path: string;
  readonly message: string;
}

/**
 * Looks at every string and every member name of a JSON value. Iterative, so that no nesting can
 * exhaust the stack; the first fault found is enough.
 */
export function textFault(value: unknown): TextFault | undefined {
  const open: { path: string; value: unknown }[] = [{ path: '', value }];
  for (let at = open.pop(); at; at = open.pop()) {
    if (typeof at.value === 'string') {
      if (UNSTORABLE.test(at.value)) return { path: at.path, message: why(at.value) };
      continue;
    }
    for (const [name, member] of membersOf(at.value)) {
      if (UNSTORABLE.test(name)) return { path: at.path, message: `a member name ${why(name)}` };
      open.push({ path: at.path ? `${at.path}.${name}` : name, value: member });
    }
  }
  return undefined;
}

/** Levels of arrays and objects in a JSON value; 0 for a scalar. Iterative, as deep as the value may be. */
export function depthOf(value: unknown): number {
  let deepest = 0;
  const open: { depth: number; value: unknown }[] = [{ depth: 0, value }];
  for (let at = open.pop(); at; at = open.pop()) {
    if (typeof at.value !== 'object' || at.value === null) continue;
    const depth = at.depth + 1;
    deepest = Math.max(deepest, depth);
    for (const [, member] of membersOf(at.value)) open.push({ depth, value: member });
  }
  return deepest;
}

function membersOf(value: unknown): [string, unknown][] {
  return typeof value === 'object' && value !== null ? Object.entries(value) : [];
}

function why(text: string): string {
  return text.includes('\u0000') ? 'holds a NUL character' : 'holds a lone surrogate';
}
