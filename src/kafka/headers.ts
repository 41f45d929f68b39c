import type { OutgoingRecord } from './port';

/**
 * A header may come without a value (Java's clients write such). kafkajs can write one, but asks for its length
 * before it looks whether there is any, and throws: its partition would wait for ever. So the first look finds an
 * empty text, and all others nothing. `test/kafka-port.test.ts` says when another version looks otherwise.
 */
export function headersOf(headers: OutgoingRecord['headers']): OutgoingRecord['headers'] {
  if (!Object.values(headers).some(lacks)) return headers;
  return Object.fromEntries(Object.entries(headers).map(([key, held]) => [key, lacks(held) ? lookedAtTwice(key, Array.isArray(held) ? held : [held]) : held]));
}

/** A list whose `map`, which is all that kafkajs asks of it, makes headers of it. */
function lookedAtTwice(key: string, values: readonly (string | Buffer)[]): readonly (string | Buffer)[] {
  return Object.assign([...values], { map: () => values.map((value) => headerOf(key, value)) });
}

function headerOf(key: string, held: string | Buffer | null): object {
  let looks = 0;
  return {
    key,
    get value() {
      looks += 1;
      return held ?? (looks === 1 ? '' : null);
    },
  };
}

/** Whatever its type says: what was read from a record may be null. */
function lacks(held: unknown): boolean {
  return held === null || held === undefined || (Array.isArray(held) && held.some(lacks));
}
