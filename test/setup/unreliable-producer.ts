import { FazendaError } from '../../src/errors';
import type { OutgoingRecord, Producer } from '../../src/kafka/port';

/** What a broker got, in the order in which it was appended. */
export interface Kept {
  readonly producer: Producer;
  readonly log: OutgoingRecord[];
}

/**
 * A stand-in for a producer, which is no broker: `answer` says of each partition's part of a request whether it is appended,
 * which a broker does with all of it or with none, and of the whole whether it is acknowledged. Each key has a partition here.
 */
export function unreliable(
  answer: () => { append: boolean; acknowledge: boolean }, delayMs: () => number = () => 0, log: OutgoingRecord[] = [],
): Kept {
  const producer: Producer = {
    connected: true,
    start: () => undefined,
    stop: async () => undefined,
    async place(record) {
      await producer.send([record]);
      return { partition: 0, offset: String(log.length - 1), timestampMs: 0 };
    },
    async send(records) {
      await new Promise((resolve) => setTimeout(resolve, delayMs()));
      const fates = new Map<string, ReturnType<typeof answer>>();
      for (const record of records) {
        const part = `${record.topic} ${String(record.key)}`;
        const fate = fates.get(part) ?? answer();
        fates.set(part, fate);
        if (fate.append) log.push(record);
      }
      if (![...fates.values()].every(({ append, acknowledge }) => append && acknowledge)) throw new FazendaError('FZ_KAFKA_AWAY', 'the brokers did not acknowledge');
    },
  };
  return { producer, log };
}

/** The versions of each aggregate in the order of their first appearance. */
export function firstSeen(log: readonly OutgoingRecord[]): Map<string, number[]> {
  const seen = new Map<string, number[]>();
  for (const { key, headers } of log) {
    const versions = seen.get(String(key)) ?? [];
    const version = Number(headers.ce_sequence);
    if (!versions.includes(version)) versions.push(version);
    seen.set(String(key), versions);
  }
  return seen;
}

const bytesOf = ({ topic, key, value, headers }: OutgoingRecord) => JSON.stringify([topic, String(key), String(value), headers]);

/** Every delivery of a version is the same record, byte for byte. */
export function expectSameBytes(log: readonly OutgoingRecord[]): void {
  const bytes = new Map<string, string>();
  for (const record of log) {
    const id = String(record.headers.ce_id);
    expect(bytes.get(id) ?? bytesOf(record)).toBe(bytesOf(record));
    bytes.set(id, bytesOf(record));
  }
}
