/** What we know of the insides of kafkajs 2.2.4, which it does not export. */
declare module 'kafkajs/src/network/requestQueue' {
  class RequestQueue {
    constructor(options: { maxInFlightRequests: number | null; requestTimeout: number; enforceRequestTimeout: boolean; clientId: string; broker: string; logger: { debug(): void } });
    readonly pending: unknown[];
    readonly inflight: ReadonlyMap<number, unknown>;
    push(request: { entry: { correlationId: number; resolve(): void }; expectResponse: boolean; sendRequest: () => void }): void;
    maybeThrottle(ms: number): void;
    checkPendingRequests(): void;
    scheduleCheckPendingRequests(): void;
  }
  export = RequestQueue;
}

declare module 'kafkajs/src/protocol/recordBatch/crc32C' {
  function crc32C(bytes: Buffer): number;
  export = crc32C;
}

declare module 'kafkajs/src/protocol/requests/produce' {
  import type { CompressionTypes, Message } from 'kafkajs';

  namespace produce {
    interface ProduceAsk {
      readonly transactionalId?: string | null;
      /** Negative where the producer has none. */
      readonly producerId?: number | string;
      readonly producerEpoch?: number;
      readonly acks: number;
      readonly timeout: number;
      readonly compression: CompressionTypes;
      readonly topicData: readonly { readonly topic: string; readonly partitions: readonly { readonly partition: number | string; readonly firstSequence?: number; readonly messages: readonly Message[] }[] }[];
    }
    interface Encoded {
      readonly buf: Buffer;
      readonly buffer: Buffer;
      size(): number;
    }
    interface Protocol {
      readonly request: { readonly apiVersion: number; encode(): Promise<Encoded> };
      readonly response: object;
    }
  }
  const produce: { protocol(of: { version: number }): (ask: produce.ProduceAsk) => produce.Protocol };
  export = produce;
}

/** For tests: what it writes and reads by itself. */
declare module 'kafkajs/src/protocol/requests/produce/v7/request' {
  import type { Encoded, ProduceAsk } from 'kafkajs/src/protocol/requests/produce';
  function request(ask: ProduceAsk): { encode(): Promise<Encoded> };
  export = request;
}

declare module 'kafkajs/src/protocol/decoder' {
  class Decoder {
    constructor(bytes: Buffer);
  }
  export = Decoder;
}

declare module 'kafkajs/src/protocol/recordBatch/v0/decoder' {
  import type Decoder from 'kafkajs/src/protocol/decoder';
  import type { KafkaMessage } from 'kafkajs';
  function decode(bytes: Decoder): Promise<{ readonly records: readonly KafkaMessage[] }>;
  export = decode;
}
