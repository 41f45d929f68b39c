/** One thing that was looked at. */
export interface Finding {
  readonly about: string;
  /** `note`: worth knowing, and no fault. */
  readonly verdict: 'good' | 'note' | 'bad';
  readonly said: string;
  /** What to do; every `bad` one has it. */
  readonly next?: string;
}

export function good(about: string, said: string): Finding {
  return { about, verdict: 'good', said };
}

export function note(about: string, said: string, next?: string): Finding {
  return { about, verdict: 'note', said, ...(next && { next }) };
}

export function bad(about: string, said: string, next: string): Finding {
  return { about, verdict: 'bad', said, next };
}
