/**
 * What fazenda needs of a Kafka client, and no more, so that another client can take the place of
 * kafkajs (unmaintained since 2023) by passing the same conformance suite (test/kafka-port.test.ts).
 */

export interface OutgoingRecord {
  readonly topic: string;
  /** Only where a record is put back whence it came; otherwise its key decides. */
  readonly partition?: number;
  readonly key: string | Buffer | null;
  /** Null only where an original null is put back. */
  readonly value: Buffer | null;
  readonly headers: Readonly<Record<string, string | Buffer | readonly (string | Buffer)[]>>;
}

/** Where a record lies. */
export interface Place {
  readonly partition: number;
  readonly offset: string;
  /** Milliseconds since 1970: the broker's, where the topic keeps its own time, else the producer's. */
  readonly timestampMs: number;
}

export interface Producer {
  /** Connects in the background; never throws: a broker that is away is waited for. */
  start(): void;
  /** True while the last thing heard of the brokers was good. */
  readonly connected: boolean;
  /**
   * Resolves when every record is acknowledged by all in-sync replicas, in the order given.
   * @throws FazendaError FZ_KAFKA_AWAY when the brokers did not take all of them in time; some may have landed.
   */
  send(records: readonly OutgoingRecord[]): Promise<void>;
  /** The same for one record, alone in its request, which is how its place becomes known. @throws as `send` */
  place(record: OutgoingRecord): Promise<Place>;
  /** Ends every connection; what is not acknowledged by then fails. */
  stop(): Promise<void>;
}

export interface IncomingRecord {
  readonly topic: string;
  readonly partition: number;
  readonly offset: string;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  /** The last value of each header, as UTF-8 text. */
  readonly headers: Readonly<Record<string, string>>;
  /** Every header as it came, for records that are passed on as they are. */
  readonly rawHeaders: OutgoingRecord['headers'];
  /** Milliseconds since 1970, the broker's or the producer's. */
  readonly timestamp: number;
}

/** Some records of one partition, in order. */
export interface Chunk {
  readonly topic: string;
  readonly partition: number;
  readonly records: readonly IncomingRecord[];
  /** Offset after the last record of the partition, as far as known; for lag. */
  readonly highWatermark: string;
  /** True once the partition belongs to somebody else: whatever is still to do should be left to them. */
  stale(): boolean;
  /**
   * Says that the next chunk of the partition may come; by default it comes when this one is done. Offsets are
   * committed in their order all the same, each after its chunk, and no more than `chunkMax` records and one chunk
   * are in hand.
   */
  letNext(): void;
}

export interface ConsumerOptions {
  readonly group: string;
  readonly topics: readonly string[];
  /** Where a group begins that has committed nothing yet. */
  readonly fromBeginning: boolean;
  /** Records handed over together at most. */
  readonly chunkMax: number;
  /**
   * Handles a chunk. Its offsets are committed after it resolves and never before; while it runs the
   * membership is kept alive, however long it takes. A rejection means "not done": the chunk comes again.
   */
  readonly onChunk: (chunk: Chunk) => Promise<void>;
  /** A fault of the client itself, for the log; it reconnects by itself. */
  readonly onTrouble?: (trouble: unknown) => void;
}

export interface Lag {
  readonly topic: string;
  readonly partition: number;
  readonly records: number;
}

export interface Consumer {
  /** Resolves when the group was joined for the first time. */
  start(): Promise<void>;
  /** Lets the chunks in hand finish, commits, leaves the group. */
  stop(): Promise<void>;
  /** Records behind, of the partitions that this member has. */
  lag(): readonly Lag[];
}
