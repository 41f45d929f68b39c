import { FazendaError } from '../../src/errors';
import type { OutgoingRecord, Producer } from '../../src/kafka/port';

/**
 * A stand-in for Kafka's client, for faults that a broker does not make on demand: it is no broker, keeps
 * what it was given, and answers as its `mood` says.
 */
export interface FakeProducer extends Producer {
  /** `takes`: acknowledges. `hangs`: takes the record and never says so. `refuses`: fails. `away`: has no connection. */
  mood: 'takes' | 'hangs' | 'refuses' | 'away';
  readonly given: OutgoingRecord[];
}

export function fakeProducer(): FakeProducer {
  const given: OutgoingRecord[] = [];
  return {
    mood: 'takes',
    given,
    get connected() {
      return this.mood !== 'away';
    },
    start: () => undefined,
    stop: async () => undefined,
    async place(record) {
      await this.send([record]);
      return { partition: 0, offset: String(given.length - 1), timestampMs: Date.now() };
    },
    async send(records) {
      if (this.mood === 'refuses') throw new FazendaError('FZ_KAFKA_AWAY', 'the brokers did not acknowledge', { retryAfterS: 2 });
      given.push(...records);
      if (this.mood === 'hangs') return new Promise(() => undefined);
    },
  };
}
