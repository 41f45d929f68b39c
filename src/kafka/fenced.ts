import { setTimeout as sleep } from 'node:timers/promises';
import type { Config } from '../config';
import { FazendaError, textOf } from '../errors';
import type { Logger } from '../log';
import { clusterName, openKafka } from './client';
import { letGo } from './let-go';
import type { OutgoingRecord } from './port';
import { byTopic } from './producer';

/**
 * A producer of which there is one at a time, by its name: the broker itself turns away whoever held the name before.
 * A lock elsewhere cannot do that, because a process that was paused with a request in hand would send it when it wakes.
 */
export interface FencedProducer {
  /** Takes the name over. From here on nobody who had it can write, and what he left half done is undone. */
  takeOver(): Promise<void>;
  /** Sends some records, all or none for those who read what is committed. @throws FazendaError FZ_KAFKA_AWAY, also where the name was taken over */
  send(records: readonly OutgoingRecord[]): Promise<void>;
  stop(): Promise<void>;
}

/** A transaction that is not ended by then is undone by the broker, ms. */
const TRANSACTION_TIMEOUT_MS = 20_000;
/** It is given up before that, ms. */
const SEND_TIMEOUT_MS = 15_000;
/** The broker may still be ending what another left open: it is asked again for about ten seconds. */
const PATIENCE = { retries: 8, initialRetryTime: 150, multiplier: 2, maxRetryTime: 2_000 };

/** @param name what it is called in the cluster, behind the installation's prefix */
export function openFencedProducer(config: Config, log: Logger, name: string): FencedProducer {
  const producer = openKafka(config, log, PATIENCE).producer({
    allowAutoTopicCreation: false, idempotent: false, transactionalId: clusterName(config, name),
    transactionTimeout: TRANSACTION_TIMEOUT_MS, maxInFlightRequests: 1,
  });

  async function inTime(work: Promise<void>): Promise<void> {
    const stop = new AbortController();
    const late = sleep(SEND_TIMEOUT_MS, undefined, { signal: stop.signal }).then(() => {
      throw new Error(`no acknowledgement within ${SEND_TIMEOUT_MS} ms`);
    });
    try {
      await Promise.race([work, late]);
    } catch (cause) {
      throw new FazendaError('FZ_KAFKA_AWAY', `the brokers did not take it (${textOf(cause)})`, {}, cause);
    } finally {
      stop.abort();
      // What comes after the limit is nobody's any more, and neither is the timer that was stopped.
      for (const one of [work, late]) one.catch((thrown: unknown) => log.debug({ cause: textOf(thrown) }, 'a transaction came to nothing'));
    }
  }

  async function transact(records: readonly OutgoingRecord[]): Promise<void> {
    // The client takes the name over when it first begins a transaction.
    const transaction = await producer.transaction();
    if (records.length === 0) return transaction.abort();
    try {
      await transaction.sendBatch({ acks: -1, topicMessages: byTopic(config, records) });
      await transaction.commit();
    } catch (thrown) {
      await transaction.abort().catch((again: unknown) => log.debug({ cause: textOf(again) }, 'the broker ends the transaction itself'));
      throw thrown;
    }
  }

  return {
    takeOver: () => inTime(producer.connect().then(() => transact([]))),
    send: (records) => (records.length === 0 ? Promise.resolve() : inTime(transact(records))),
    stop: () => letGo(producer, log),
  };
}
